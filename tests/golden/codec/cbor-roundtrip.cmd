cbor roundtrip
