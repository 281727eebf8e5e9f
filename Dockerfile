# residua as a service: docker build -t residua . && docker run -p 8000:8000 -v MODEL:/model:ro residua serve /model --host 0.0.0.0
FROM python:3.12-slim
RUN useradd --create-home residua
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src ./src
# torch for the CPU alone: a tenth of the size
RUN pip install --no-cache-dir -c constraints.txt --extra-index-url https://download.pytorch.org/whl/cpu ".[serve,export]"
USER residua
WORKDIR /home/residua
EXPOSE 8000
# SIGTERM answers what was accepted
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
ENTRYPOINT ["residua"]
CMD ["serve", "/model", "--host", "0.0.0.0"]
