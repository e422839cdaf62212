"""Real containers for tests, and programs inside them that tell what they did.

    def test_something(box):                        # fixture: makes boxes, removes them when the test ends
        web = box(Recipe(name="web"))               # runc, overlay over the session's image, own namespaces; started
        web.exec("cat", "/etc/hostname").out        # `runc exec`; .code .out .err .facts
        web.attack("execve", "/usr/bin/quiet")      # a verb of tests/programs: what it did, one dict a step
        web.pid, web.cgroup_id, web.root            # host pid of its init, inode in the v2 hierarchy, merged root folder

Folders and names a session makes lie below `workshop.folder`, cgroups below `/vedette-test`. What a test leaves behind
fails its module (`leaks.py`).

- `workshop.py`    Workshop: the session's folder, image and programs
- `image.py`       the image: a root folder of busybox and the programs, and the same as an OCI archive
- `programs.py`    builds tests/programs and bench/work with make
- `runc.py`        Recipe, Mount, Box
- `containerd.py`  Containerd: a containerd of our own; ctr_run() gives a Task
- `network.py`     network namespaces of our own, and running things inside one
- `resolver.py`    a small DNS server, run inside a container's network namespace
- `leaks.py`       what was left behind
"""
