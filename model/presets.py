"""Rules that many policies need, by name: `include: [metadata, python]` stands for the lines below, as if they stood there.

Each is YAML as under `spec`. Its entries' sources name the preset, with the line here.
"""

from model.fields import VERBS

IMAGE_READS = """\
# Everything in the image's own layers may be read.
read:
  allow: [image]
"""

RUNTIME_FILES = """\
# What the runtime puts into every container, and what every libc and language reads at its start.
read:
  allow:
    - /etc/hostname
    - /etc/hosts
    - /etc/resolv.conf
    - /dev/**
    - /proc/*
    - /proc/self/**
    - /proc/sys/**
    - /sys/devices/system/cpu/**
    - /sys/fs/cgroup/**
    - /sys/kernel/mm/transparent_hugepage/**
"""

TEMPORARY_FILES = """\
# Temporary files, and the devices that everybody writes to.
read:
  allow: [/tmp/**, /var/tmp/**, /dev/**]
write:
  allow:
    - /tmp/**
    - /var/tmp/**
    - /dev/shm/**
    - /dev/null
    - /dev/zero
    - /dev/full
    - /dev/tty
    - /dev/ptmx
    - /dev/pts/*
"""

METADATA = """\
# The cloud's metadata service: the machine's credentials. AWS and most others, AWS for tasks and pods, Alibaba, AWS over IPv6,
# Google over IPv6.
egress:
  deny:
    - 169.254.169.254
    - 169.254.170.2
    - 169.254.170.23
    - 100.100.100.200
    - fd00:ec2::254
    - fd00:ec2::23
    - fd20:ce::254
"""

RUNTIME_SOCKETS = """\
# Container runtimes: whoever may speak to them is root on the host.
egress:
  deny:
    - unix:/**/docker.sock
    - unix:/**/containerd.sock
    - unix:/**/crio.sock
    - unix:/**/podman.sock
    - unix:/**/buildkitd.sock
    - unix:@/containerd-shim/**
"""

SECRETS = """\
# Passwords, keys, and the pod's token. The second form of a token's path is where /var/run is no link.
read:
  deny:
    - /etc/shadow
    - /etc/gshadow
    - /root/.ssh/id_*
    - /home/*/.ssh/id_*
    - /root/.aws/credentials
    - /home/*/.aws/credentials
    - /root/.kube/config
    - /root/.docker/config.json
    - /run/secrets/kubernetes.io/serviceaccount/**/token
    - /var/run/secrets/kubernetes.io/serviceaccount/**/token
"""

PYTHON = """\
# A program in Python: its interpreter and what it loads. No shell, no compiler.
exec:
  allow:
    - /usr/bin/python3*
    - /usr/local/bin/python3*
    - /opt/venv/bin/*
load:
  allow: [image]
"""

NODE = """\
# A program in JavaScript with Node.js. No shell, no package manager.
exec:
  allow: [/usr/bin/node, /usr/local/bin/node, /usr/bin/nodejs]
load:
  allow: [image]
"""

JVM = """\
# A program on the Java virtual machine: the machine itself, its start-up helper, and its files of performance data.
exec:
  allow:
    - /usr/lib/jvm/**
    - /usr/bin/java
    - /opt/java/**
load:
  allow: [image]
write:
  allow: [/tmp/hsperfdata_*/**]
"""

NGINX = """\
# A web server of the official image: what it runs, also while its entry point prepares the configuration.
exec:
  allow:
    - /usr/sbin/nginx
    - {path: image, startup: 60s}
load:
  allow: [image]
write:
  allow:
    - /var/cache/nginx/**
    - /var/log/nginx/**
    - /run/nginx.pid
    - {path: /etc/nginx/conf.d/**, startup: 60s}
    - /dev/null
    - /dev/pts/*
"""

PRESETS = {
    "image-reads": IMAGE_READS,
    "jvm": JVM,
    "metadata": METADATA,
    "nginx": NGINX,
    "node": NODE,
    "python": PYTHON,
    "runtime-files": RUNTIME_FILES,
    "runtime-sockets": RUNTIME_SOCKETS,
    "secrets": SECRETS,
    "temporary-files": TEMPORARY_FILES,
}


def verbs_of(preset: str) -> tuple[str, ...]:
    """The verbs that a preset speaks of."""
    begins = {line.partition(":")[0] for line in PRESETS[preset].splitlines()}
    return tuple(verb for verb in VERBS if verb in begins)
