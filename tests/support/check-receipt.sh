#!/usr/bin/env bash
# Checks a receipt with openssl and sha256sum alone, as docs/FORMAT.md describes it.
#   check-receipt.sh RECEIPT.json RECEIPT.tlog-proof LOG.pub [ORIGINAL]
set -euo pipefail
leaf=$1 proof=$2 key=$3 original=${4:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "NOT OK: $*" >&2; exit 1; }
unbase64() { openssl base64 -d -A; }
unhex() { local hex; hex=$(cat); printf '%b' "$(sed 's/../\\x&/g' <<<"$hex")"; }
digest() { sha256sum | cut -c1-64; }

# 1. The original is what the leaf names.
if [ -n "$original" ]; then
    grep -q "\"sha256\":\"$(digest <"$original")\"" "$leaf" || fail "the file isn't the one the receipt is for"
fi

# 2. From the leaf up to the root (RFC 6962: leaf 0x00, node 0x01; RFC 9162, 2.1.3.2 for the way up).
index=$(sed -n 's/^index //p' "$proof")
hashes=$(sed -n '/^index /,/^$/p' "$proof" | sed '1d;$d')
sed '1,/^$/d' "$proof" >"$work/checkpoint"
size=$(sed -n 2p "$work/checkpoint")
node=$({ printf '\0'; cat "$leaf"; } | digest)
place=$index last=$((size - 1))
[ "$index" -lt "$size" ] || fail "the proof is for a leaf the checkpoint doesn't cover"
for sibling in $hashes; do
    [ "$last" -gt 0 ] || fail "the proof is too long"
    sibling=$(unbase64 <<<"$sibling" | od -An -v -tx1 | tr -d ' \n')
    if [ $((place & 1)) = 1 ] || [ "$place" = "$last" ]; then
        node=$({ printf '\1'; printf %s "$sibling$node" | unhex; } | digest)
        while [ $((place & 1)) = 0 ] && [ "$place" -ne 0 ]; do place=$((place >> 1)) last=$((last >> 1)); done
    else
        node=$({ printf '\1'; printf %s "$node$sibling" | unhex; } | digest)
    fi
    place=$((place >> 1)) last=$((last >> 1))
done
[ "$last" = 0 ] || fail "the proof is too short"
root=$(sed -n 3p "$work/checkpoint" | unbase64 | od -An -v -tx1 | tr -d ' \n')
[ "$node" = "$root" ] || fail "the leaf isn't under the checkpoint's root"

# 3. The checkpoint's signature: the text up to the empty line, Ed25519. The key is name+hash+base64(0x01 ‖ key).
text=$(cat "$key")
name=${text%%+*}
{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; printf %s "${text#*+*+}" | unbase64 | tail -c 32; } >"$work/key.der"
sed '/^$/,$d' "$work/checkpoint" >"$work/text"
signature=$(grep -F -- "— $name " "$work/checkpoint" | head -n 1)
unbase64 <<<"${signature##* }" | tail -c 64 >"$work/signature"
openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key.der" -rawin -in "$work/text" -sigfile "$work/signature" \
    >/dev/null || fail "the checkpoint isn't signed by this log"
echo "OK: leaf $index of a log of $size, signed by $name"
