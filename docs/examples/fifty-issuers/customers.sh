#!/bin/sh
# customers.sh COUNT TENANCY: adds customers 2 to COUNT, each with its identity provider, as you would
# from your own list of customers.
set -eu
count=$1 tenancy=$2
n=2
while [ "$n" -le "$count" ]; do
  cat > "$tenancy/tenants/customer-$n.yaml" <<TENANT
tenant: customer-$n
tier: gold
status: active
residency: eu
contacts: [ops@customer-$n.example]
TENANT
  cat >> "$tenancy/mesh.yaml" <<ISSUER
  - issuer: https://id.customer-$n.example
    audiences: [shop]
    tenant_claim: /tenant
    roles_claim: /roles
    jwks: customer-$n.jwks.json
    tenants: [customer-$n]
ISSUER
  n=$((n + 1))
done
