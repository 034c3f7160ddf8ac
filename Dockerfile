# The controller's image: without development tools, and without the sandbox (.dockerignore keeps it out).
#     docker build --tag rollouts:0.1.0 .
FROM python:3.13-slim
COPY . /source
# Exactly the versions that requirements.lock names, and only those that the controller needs.
RUN sed -nE 's/^([A-Za-z0-9._-]+==[^ ;]+).*/\1/p' /source/requirements.lock > /pins \
    && pip install --no-cache-dir --constraint /pins /source \
    && rm -r /source /pins
USER 65532
ENTRYPOINT ["rollouts"]
