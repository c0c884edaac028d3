dns roundtrip
