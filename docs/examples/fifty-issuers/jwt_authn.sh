#!/bin/sh
# jwt_authn.sh COUNT: the same identity providers for Envoy's jwt_authn, required as Istio's
# RequestAuthentication has them required: any of them, or all of them with `allow_missing` each.
set -eu
count=$1

each() {
  n=1
  while [ "$n" -le "$count" ]; do
    "$1" "$n"
    n=$((n + 1))
  done
}

provider() {
  cat <<PROVIDER
  customer-$1:
    issuer: https://id.customer-$1.example
    audiences: [shop]
    local_jwks: { filename: /etc/partywall/jwks/customer-$1.jwks.json }
    claim_to_headers: [{ header_name: x-tenant, claim_name: tenant }]
PROVIDER
}

required() {
  echo "          - provider_name: customer-$1"
}

allowed() {
  echo "                - requires_any: { requirements: [{ provider_name: customer-$1 }, { allow_missing: {} }] }"
}

echo "providers:"
each provider
cat <<RULES
rules:
  - match: { prefix: / }
    requires:
      requires_any:
        requirements:
RULES
each required
if [ "$count" -eq 1 ]; then
  echo "          - allow_missing: {}"
  exit
fi
cat <<ALL
          - requires_all:
              requirements:
ALL
each allowed
