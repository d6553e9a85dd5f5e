# The images of batchscope: `train` (the program, without Python) and `tensorboard`. docs/docker.md says how to
# use them and how large they are.
#
#   docker build -t batchscope .                               trains on GPUs and on the CPU
#   docker build -t batchscope:cpu --build-arg CUDA=0 .        trains on the CPU
#   docker build -t batchscope:tensorboard --target tensorboard .

# Debian or a descendant, each; the first two with the same release, since glibc must match.
ARG BUILD_IMAGE=docker.io/library/rust:1.95.0-bookworm
ARG RUN_IMAGE=docker.io/library/debian:bookworm-slim
ARG TENSORBOARD_IMAGE=docker.io/library/python:3.13-slim-bookworm

# ---- compiles the program; nothing of this stage is shipped but /opt and the reviews ----
FROM ${BUILD_IMAGE} AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1
# libtorch (5 GB) and the reviews, in a layer that a change of the program does not touch.
COPY rust-toolchain.toml ./
COPY scripts/setup scripts/requirements.txt scripts/unpack_reviews.py scripts/
RUN scripts/setup --no-build
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY src src
RUN cargo build --locked --quiet
COPY LICENSE ./
COPY scripts/bundle scripts/
ARG CUDA=1
RUN CUDA=${CUDA} scripts/bundle /opt

# ---- curves: TensorBoard, in the version that scripts/requirements.txt names ----
FROM ${TENSORBOARD_IMAGE} AS tensorboard
COPY scripts/requirements.txt /opt/
RUN python3 -m venv /opt/tensorboard \
    && grep '^tensorboard==' /opt/requirements.txt \
    | /opt/tensorboard/bin/pip install --no-cache-dir --quiet --requirement /dev/stdin \
    && /opt/tensorboard/bin/tensorboard --version
USER 1000:1000
WORKDIR /
EXPOSE 6006
# 0.0.0.0 is inside the container; compose.yaml publishes it on 127.0.0.1 alone.
ENTRYPOINT ["/opt/tensorboard/bin/tensorboard", "--logdir", "/runs", "--host", "0.0.0.0", "--port", "6006"]

# ---- the program ----
FROM ${RUN_IMAGE} AS train
# tini: as process 1, a program ignores every signal that it does not handle, and `batchscope check` handles none.
# libstdc++ is libtorch's, zlib is cuDNN's.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libstdc++6 tini zlib1g \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
# What changes with libtorch first, then what changes with the program.
COPY --from=build /opt/nvidia /opt/nvidia
COPY --from=build /opt/batchscope/lib /opt/batchscope/lib
COPY --from=build /build/data /data
COPY --from=build /opt/batchscope/licenses /opt/batchscope/licenses
COPY --from=build /opt/batchscope/bin /opt/batchscope/bin
COPY scripts/gpu_check /opt/batchscope/
COPY experiments /experiments
# Paths in experiment files are relative to the folder in which the program starts: here, the root folder.
# /runs is to be mounted; without a mount, any user may still write there.
RUN mkdir --mode=1777 /runs
# HOME: a user that is given with --user has none, and CUDA keeps compiled kernels there.
ENV PATH=/opt/batchscope/bin:$PATH \
    HOME=/tmp \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000:1000
# The build fails here if a library is missing; libcuda.so.1 comes from the host's driver.
RUN batchscope --version \
    && ! find /opt -name '*.so*' -exec ldd {} + | grep 'not found' | grep -v 'libcuda\.so\.1'
WORKDIR /
ENTRYPOINT ["tini", "--", "batchscope"]
CMD ["--help"]
