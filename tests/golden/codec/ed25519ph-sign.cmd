ed25519ph sign
