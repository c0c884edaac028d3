# jsmn: cuts JSON text into tokens. Header only; instantiated once, in vendor/jsmn.c. Debian libjsmn-dev >= 1.1.0. MIT.
# It has no pkg-config file; vendor/probe/jsmn.c is the probe.
VENDOR_PROBES += jsmn
