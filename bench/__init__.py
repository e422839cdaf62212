"""What the agent costs: `make bench` prints a table and writes results.json.

Everything is measured on real runc containers (tests/containers), with the agent as a process of its own that writes its log
to the disk. Costs of the workload are ratios: rounds with and without the agent, in turns, the order reversed each round;
a ratio is the median of the rounds' ratios, and stands with the lowest and the highest of them.

- `rows.py` a row and its target · `table.py` on the terminal · `machine.py` where it was measured
- `agent.py` the measured process · `tally.py` what its log says happened · `rounds.py` with and without, in turns
- `shop.py` the containers · `toolbox.py` an image with the host's compiler, git, nginx
- `parts/` one file a subject; `python -m bench --list` names them
"""
