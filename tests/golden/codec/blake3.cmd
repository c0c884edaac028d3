blake3
