# The program in a container, for CPUs or with CUDA:
#
#   docker build -t singanimation .                                  CPU
#   docker build -t singanimation:cuda --build-arg TORCH=cu130 .     CUDA; run it with --gpus all
#   docker run --init --stop-timeout 90 -v /srv/faces:/faces:ro -v /srv/grown:/grown -v singanimation:/cache \
#       singanimation serve --input /faces --output /grown --per-image 10 --cron "0 2 * * *" --timezone Europe/Berlin
#
# --build-arg EXTRAS=[ray,s3] adds extras.
FROM python:3.12-slim-bookworm AS wheel
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY pipeline pipeline
COPY stages stages
COPY manifests manifests
COPY flows flows
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.12-slim-bookworm
ARG TORCH=cpu
ARG EXTRAS=
COPY constraints.txt /tmp/
COPY --from=wheel /wheels /tmp/wheels
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv pip install --system --no-cache --torch-backend "$TORCH" --constraint /tmp/constraints.txt \
        "$(echo /tmp/wheels/*.whl)$EXTRAS" \
    && rm -rf /tmp/wheels /tmp/constraints.txt

# weights and Prefect's data base; files of the runs belong to this user, or to that of `docker run --user`
ENV XDG_CACHE_HOME=/cache PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 augment && mkdir --mode 777 /cache
USER augment
WORKDIR /home/augment
VOLUME /cache
STOPSIGNAL SIGTERM
ENTRYPOINT ["augment"]
CMD ["--help"]
