# BearSSL: TLS 1.2, X.509, hashes. Debian libbearssl-dev >= 0.6. MIT. No pkg-config file; vendor/probe/bearssl.c is the probe.
VENDOR_PROBES += bearssl
