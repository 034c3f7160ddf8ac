# The controller's image: without development tools, without sources, and without the sandbox (.dockerignore
# keeps it out).
#     docker build --tag rollouts:0.1.0 .
# The digest, when given, holds the base image to one content: --build-arg DIGEST=@sha256:…
ARG PYTHON=3.13.9-slim
ARG DIGEST=
FROM python:${PYTHON}${DIGEST} AS base

# Everything that requirements.lock names, held to its hashes; and our own wheel, built without fetching anything.
FROM base AS wheels
WORKDIR /source
COPY requirements.lock ./
RUN pip download --quiet --no-deps --require-hashes --only-binary :all: --dest /wheels --requirement requirements.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY rollouts ./rollouts
RUN pip install --quiet --no-index --find-links /wheels --upgrade setuptools \
    && pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels .

# Of these, what the controller needs.
FROM base
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-cache-dir --no-index --find-links /wheels rollouts
USER 65532
ENTRYPOINT ["rollouts"]
