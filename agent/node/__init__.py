"""Who did it: containers, processes, mounts and names on this node. Imports only the model."""
