"""The only code that touches the kernel: BPF programs, their rings and maps, and what they say as `model.event`."""
