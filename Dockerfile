# The agent's image. Build: docker build -t vedette .   Run: docs/how-to/run-as-a-daemon.md
#
# The container needs the host's kernel, so it is started with CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_NET_ADMIN,
# CAP_SYS_PTRACE, CAP_SYS_RESOURCE and CAP_DAC_READ_SEARCH, the host's pid and cgroup namespaces, and read-only mounts of the
# host's cgroup tree and of the runtimes' state folders. It doesn't need --privileged, a network, or a writable root.

FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends clang llvm libbpf-dev python3 python3-venv
WORKDIR /source
COPY requirements.lock requirements-dev.lock ./
RUN python3 -m venv /build && /build/bin/pip install --quiet --require-hashes -r requirements-dev.lock \
    && python3 -m venv /opt/vedette && /opt/vedette/bin/pip install --quiet --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE compile_bpf.py hatch_build.py ./
COPY LICENSES LICENSES
COPY model model
COPY agent agent
COPY rules rules
RUN /build/bin/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel . \
    && /opt/vedette/bin/pip install --quiet --no-deps --no-index /wheel/*.whl \
    && /opt/vedette/bin/pip uninstall --quiet --yes pip setuptools \
    && /opt/vedette/bin/python -m compileall -q /opt/vedette/lib

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends libbpf1 python3-minimal libpython3-stdlib \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /opt/vedette /opt/vedette
ENV PATH=/opt/vedette/bin:$PATH PYTHONDONTWRITEBYTECODE=1
VOLUME ["/var/log/vedette"]
ENTRYPOINT ["vedette"]
CMD ["run"]
