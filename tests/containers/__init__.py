"""Real containers for tests, and programs inside them that tell what they did.

    def test_something(box):                          # fixture: makes boxes, starts them, removes them when the test ends
        web = box(Recipe(name="web", readonly=True))  # runc on an overlay over the session's image; Recipe in spec.py
        web.exec("cat", "/etc/hostname").out          # `runc exec` to its end: .code .out .err .facts
        web.popen("sleep", "9")                       # the same in the background
        web.shell("tty").out                          # the same with a terminal
        web.attack("execve", "/usr/bin/quiet")        # a verb of tests/programs: one dict a step; fails if a step failed
        web.exec("/usr/bin/bulk", "exec", "1000")     # a work of bench/work
        web.pid, web.cgroup_id, web.processes()       # of the host; the cgroup's inode in the v2 hierarchy
        web.folder, web.root, web.upper, web.lower    # its bundle, the merged root, its layers

`with Box(workshop, recipe) as one:` lives as long as you like; `Box(workshop, recipe).run()` runs its own program to the end.
`attack list` names every verb. Steps tell pids as the box has them: leave "pid" out of `Recipe.namespaces` for the host's.
Fixtures `workshop`, `image`, `programs`, `containerd` (`containerd.ctr_run("web", "sleep", "9", options=("--privileged",))`)
and `pods` (`pods.pod("web", "shop")`, `pod.container("app", …)`) live as long as the session.

Cgroups: `/vedette-test/<name>` for boxes and ctr, `/kubepods/besteffort/pod<uid>/<id>` for pods. Files: below
`workshop.folder`. A module that leaves anything behind fails and names it (leaks.py).

- `workshop.py` the session's folder · `image.py` the image · `programs.py` builds the C programs with make
- `spec.py` Recipe, Mount · `runc.py` Box · `containerd.py` Containerd, Task · `pods.py` Pods, Pod
- `network.py` Namespace, Resolver (a DNS server inside a container's network namespace: `resolver.py`)
- `leaks.py` what was left behind · `cgroups.py`, `mounts.py`, `processes.py` of the host
"""
