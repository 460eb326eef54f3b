# The image that cronjob.yaml runs: docker build -t ghcr.io/karpenter-check/karpenter-check:0.1.0 .
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml setup.cfg README.md LICENSE ./
COPY karpenter_check karpenter_check
# karpenter_check/pages links to these
COPY docs/rules docs/rules
RUN python -m venv /opt/karpenter-check && /opt/karpenter-check/bin/pip install --no-cache-dir .

FROM python:3.13-slim
COPY --from=build /opt/karpenter-check /opt/karpenter-check
ENV PATH=/opt/karpenter-check/bin:$PATH
USER 65532:65532
ENTRYPOINT ["karpenter-check"]
