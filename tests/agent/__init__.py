"""The agent as a whole: one real process, the real kernel, real containers. What it wrote is what is looked at.

    def test_something(agent, plain):                       # a running agent, and a box that it watches
        plain.attack("execve", "/usr/bin/quiet")
        record = agent.sees(plain, Exec, path="/usr/bin/quiet")   # waits; fails with what was recorded instead
        assert record.origin.container.name == plain.name
        agent.settled(plain)                                # all that happened in it before is written now
        assert agent.records(plain, Exec, path="/usr/bin/dynamic") == []
        assert agent.findings(plain) == []

Only what happened since the test began is looked at. Policies are in `rules/`: a container is selected by how its name
begins, `a_box("web")` gives such a name. `daemon.py` the process · `sight.py` what it wrote · `conftest.py` fixtures.
"""
