# libsodium: Ed25519, Argon2id, X25519, ChaCha20. Debian libsodium-dev >= 1.0.18. ISC.
VENDOR_PKGS += libsodium
