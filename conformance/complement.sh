#!/bin/sh
# Starts `ternd` the way Complement (matrix-org/complement) wants a homeserver image to start: $SERVER_NAME in the environment, its
# authority in /complement/ca, data that lasts in /data, plain HTTP on 8008, HTTPS on 8448, the end on SIGTERM.
# $TERND is the program (default: ternd on the PATH). docs/conformance.md says how to run the suite.
set -eu

data=/data
config=$data/tern.toml
: "${SERVER_NAME:?the name of the homeserver, as Complement sets it}"

if [ ! -f "$data/cert.pem" ]; then
    openssl ecparam -name prime256v1 -genkey -noout -out "$data/key.ec.pem" 2>/dev/null
    openssl pkcs8 -topk8 -nocrypt -in "$data/key.ec.pem" -out "$data/key.pem"
    openssl req -new -key "$data/key.pem" -subj "/CN=$SERVER_NAME" -out "$data/cert.csr"
    printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "$SERVER_NAME" >"$data/cert.ext"
    openssl x509 -req -in "$data/cert.csr" -CA /complement/ca/ca.crt -CAkey /complement/ca/ca.key \
        -set_serial "0x$(openssl rand -hex 8)" -days 30 -extfile "$data/cert.ext" -out "$data/cert.pem" 2>/dev/null
fi

# Version 10: many of the suite's tests predate the creators' rules of version 12.
cat >"$config" <<END
server_name = "$SERVER_NAME"
data_dir = "$data/tern"

[listen]
http = ["0.0.0.0:8008"]

[[listen.tls]]
address = "0.0.0.0:8448"
certificate = "$data/cert.pem"
private_key = "$data/key.pem"

[registration]
mode = "open"

[encryption]
default = "off"

[rooms]
default_version = "10"

[federation]
allow_networks = ["0.0.0.0/0", "::/0"]
extra_ca = ["/complement/ca/ca.crt"]
share_device_names = true

[previews]
ports = []
allow_networks = ["0.0.0.0/0", "::/0"]

[limits]
rate = "off"
END

exec "${TERND:-ternd}" serve --config "$config"
