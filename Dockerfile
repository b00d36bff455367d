# Treewarden for those who bring their own PostgreSQL; compose.yaml uses it.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /treewarden ./cmd/treewarden

# Certificates and the account nonroot, nothing else: no shell, no PostgreSQL.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /treewarden /usr/local/bin/treewarden
COPY LICENSE NOTICE /usr/share/doc/treewarden/
USER nonroot
ENV TREEWARDEN_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["treewarden"]
CMD ["serve"]
