#!/bin/sh
# Gives a new gateway a trunk, a room and a number, by its API. The idempotency keys make a second run harmless.
set -eu

api=${API:-http://gateway:8080}
until [ -s /keys/admin.key ] && curl -fsS -o /dev/null "$api/readyz"; do sleep 1; done

make() { # what, idempotency key, JSON
    curl -fsS -X POST "$api/v1/$1" -H "Authorization: Bearer $(cat /keys/admin.key)" \
        -H "Content-Type: application/json" -H "Idempotency-Key: $2" -d "$3"
}

make trunks compose-trunk '{"name": "telephones", "networks": ["172.30.53.0/24"], "numbers": {"country": "49"}}' >/dev/null
make rooms compose-room '{"name": "Team", "pin": "1234"}' >/dev/null
make dids compose-did '{"called": "+4930901820", "action": {"to": "attendant"}, "languages": ["en"]}' >/dev/null
echo "ready: call sip:+4930901820@gateway and key 1234#"
