#!/bin/sh
# banned.sh PROGRAM - the linked program imports nothing that base/banned.h bans.
bad=$(nm -D --undefined-only "$1" | awk '{print $2}' | sed 's/@.*//' |
    grep -Ex 'strcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|strtok|strtok_r|strdup|strndup|asprintf|atoi|atol|atoll|setlocale|rand|srand|tmpnam|mktemp|gethostbyname|getaddrinfo|gmtime|localtime|ctime|asctime|popen|system')
[ -z "$bad" ] || { echo "imports: $bad"; exit 1; }
