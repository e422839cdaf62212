"""What happens when things go wrong, each with a real agent in a process of its own, with a log of its own.

    def test_something(start_agent, box):
        agent = start_agent()                                   # a Daemon of tests/agent/daemon.py, ready
        one = box(Recipe(name="web"))
        one.exec("cat", "/etc/hostname")
        ledger.wait_for(agent, one.name, lambda told: told.total("open") > 0)

`ledger.py` adds up what a log says of one container: records, counts and gaps are the truth, or something was lost in silence.
"""
