#include <bearssl.h>
int main(void) { return br_sha256_SIZE == 32 ? 0 : 1; }
