#include "vendor/jsmn.h"
int main(void) { jsmn_parser p; (void)p; return 0; }
