cbor
