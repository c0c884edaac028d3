/* tls_why.c - what went wrong, in a sentence: BearSSL's error numbers and the alerts of RFC 5246.
 *
 * For: whoever reads why a connection failed and has to do something about it; and the peer, who gets an alert where BearSSL
 *      sends none.
 * Never: says more to the peer than the protocol has words for.
 * Tried: tests/wire/tls_trust, tests/wire/tls_attack. */
#include "wire/tls_room.h"

struct reason {
    int number;
    enum tls_alert alert;
    const char *why;
};

static const struct reason of_engine[] = {
    {BR_ERR_OK, TLS_ALERT_NONE, "the peer ended the connection during the handshake"},
    {BR_ERR_BAD_PARAM, TLS_ALERT_INTERNAL, "TLS failed by our own fault (parameters)"},
    {BR_ERR_BAD_STATE, TLS_ALERT_INTERNAL, "TLS failed by our own fault (state)"},
    {BR_ERR_UNSUPPORTED_VERSION, TLS_ALERT_VERSION, "the peer does not speak TLS 1.2"},
    {BR_ERR_BAD_VERSION, TLS_ALERT_VERSION, "the peer does not speak TLS 1.2"},
    {BR_ERR_BAD_LENGTH, TLS_ALERT_DECODE, "the peer sent a TLS record of a forbidden length"},
    {BR_ERR_TOO_LARGE, TLS_ALERT_DECODE, "the peer sent a TLS record that is too long"},
    {BR_ERR_BAD_MAC, TLS_ALERT_NONE, "what the peer sent was changed on the way"},
    {BR_ERR_NO_RANDOM, TLS_ALERT_INTERNAL, "there is no randomness to make keys from"},
    {BR_ERR_UNKNOWN_TYPE, TLS_ALERT_UNEXPECTED, "the peer sent a TLS record of an unknown kind"},
    {BR_ERR_UNEXPECTED, TLS_ALERT_UNEXPECTED, "the peer sent a TLS message out of turn"},
    {BR_ERR_BAD_CCS, TLS_ALERT_DECODE, "the peer changed to ciphers in a wrong way"},
    {BR_ERR_BAD_ALERT, TLS_ALERT_DECODE, "the peer sent an alert that cannot be read"},
    {BR_ERR_BAD_HANDSHAKE, TLS_ALERT_DECODE, "the peer's handshake cannot be read"},
    {BR_ERR_OVERSIZED_ID, TLS_ALERT_DECODE, "the peer's session id is too long"},
    {BR_ERR_BAD_CIPHER_SUITE, TLS_ALERT_ILLEGAL, "the peer chose a cipher that was not offered"},
    {BR_ERR_BAD_COMPRESSION, TLS_ALERT_ILLEGAL, "the peer wants compression, which is never used"},
    {BR_ERR_BAD_FRAGLEN, TLS_ALERT_ILLEGAL, "the peer asked for a forbidden length of records"},
    {BR_ERR_BAD_SECRENEG, TLS_ALERT_ILLEGAL, "the peer's renegotiation information is wrong"},
    {BR_ERR_EXTRA_EXTENSION, TLS_ALERT_ILLEGAL, "the peer answered what it was not asked"},
    {BR_ERR_BAD_SNI, TLS_ALERT_ILLEGAL, "the peer's answer about the host name is wrong"},
    {BR_ERR_BAD_HELLO_DONE, TLS_ALERT_DECODE, "the peer's handshake cannot be read"},
    {BR_ERR_LIMIT_EXCEEDED, TLS_ALERT_INTERNAL, "the peer's key is larger than can be handled"},
    {BR_ERR_BAD_FINISHED, TLS_ALERT_NONE, "the handshake was changed on the way"},
    {BR_ERR_RESUME_MISMATCH, TLS_ALERT_ILLEGAL, "the peer resumed another session than was offered"},
    {BR_ERR_INVALID_ALGORITHM, TLS_ALERT_ILLEGAL, "the peer chose an algorithm that was not offered"},
    {BR_ERR_BAD_SIGNATURE, TLS_ALERT_BAD_CERTIFICATE, "the peer does not hold the key of its certificate"},
    {BR_ERR_WRONG_KEY_USAGE, TLS_ALERT_BAD_CERTIFICATE, "the peer's certificate is not made for this use"},
    {BR_ERR_NO_CLIENT_AUTH, TLS_ALERT_BAD_CERTIFICATE, "the peer wants a certificate of ours"},
    {BR_ERR_IO, TLS_ALERT_NONE, "TLS failed"},
    {BR_ERR_X509_EMPTY_CHAIN, TLS_ALERT_BAD_CERTIFICATE, "the peer sent no certificate"},
    {BR_ERR_X509_BAD_SIGNATURE, TLS_ALERT_BAD_CERTIFICATE, "a signature in the peer's certificates is wrong"},
    {BR_ERR_X509_EXPIRED, TLS_ALERT_EXPIRED, "the peer's certificate has expired, or is not valid yet"},
    {BR_ERR_X509_TIME_UNKNOWN, TLS_ALERT_INTERNAL, "the time is not known, so certificates cannot be judged"},
    {BR_ERR_X509_DN_MISMATCH, TLS_ALERT_BAD_CERTIFICATE, "the peer's certificates do not follow one another"},
    {BR_ERR_X509_BAD_SERVER_NAME, TLS_ALERT_BAD_CERTIFICATE, "the certificate is for another name"},
    {BR_ERR_X509_CRITICAL_EXTENSION, TLS_ALERT_BAD_CERTIFICATE,
     "the peer's certificate demands something that is not known here"},
    {BR_ERR_X509_NOT_CA, TLS_ALERT_BAD_CERTIFICATE, "a certificate of the peer's chain may not sign others"},
    {BR_ERR_X509_FORBIDDEN_KEY_USAGE, TLS_ALERT_BAD_CERTIFICATE, "the peer's certificate is not made for this use"},
    {BR_ERR_X509_WEAK_PUBLIC_KEY, TLS_ALERT_BAD_CERTIFICATE, "a key in the peer's certificates is too weak"},
    {BR_ERR_X509_NOT_TRUSTED, TLS_ALERT_UNKNOWN_CA, "the certificate was issued by nobody we trust"},
    {BR_ERR_X509_UNSUPPORTED, TLS_ALERT_BAD_CERTIFICATE,
     "the peer's certificates use a key or signature that is not known here"},
    {BR_ERR_X509_LIMIT_EXCEEDED, TLS_ALERT_BAD_CERTIFICATE, "the peer's certificate is larger than can be handled"},
};

/* Alerts by their number. `got`: the peer said so; `sent`: BearSSL told the peer. */
static const struct {
    int alert;
    const char *got, *sent;
} of_alerts[] = {
    {0, "the peer ended the connection during the handshake", "the handshake was ended"},
    {10, "the peer did not expect what we sent", "the peer sent a TLS message out of turn"},
    {20, "what we sent was changed on the way to the peer", "what the peer sent was changed on the way"},
    {22, "our TLS record was too long for the peer", "the peer sent a TLS record that is too long"},
    {40, "the peer has no cipher, curve or signature in common with us",
     "no cipher, curve or signature in common with the peer"},
    {42, "the peer cannot use our certificate", "the peer's certificate cannot be used"},
    {43, "the peer does not know our kind of certificate", "the peer's certificate cannot be used"},
    {44, "the peer holds our certificate for revoked", "the peer's certificate cannot be used"},
    {45, "the peer holds our certificate for expired", "the peer's certificate has expired, or is not valid yet"},
    {46, "the peer does not accept our certificate", "the peer's certificate cannot be used"},
    {47, "the peer holds our handshake for wrong", "the peer's handshake is wrong"},
    {48, "the peer does not trust our certificate", "the certificate was issued by nobody we trust"},
    {49, "the peer denies us access", "the peer is denied access"},
    {50, "the peer cannot read our handshake", "the peer's handshake cannot be read"},
    {51, "the peer cannot decrypt our handshake", "the peer's handshake cannot be decrypted"},
    {70, "the peer wants another version of TLS than 1.2", "the peer does not speak TLS 1.2"},
    {71, "the peer wants stronger ciphers than we have", "the peer's ciphers are too weak"},
    {80, "the peer failed by its own fault", "TLS failed by our own fault"},
    {86, "the peer suspects that somebody forces us to an old version of TLS",
     "the peer fell back to an older version of TLS than it needs"},
    {90, "the user of the peer cancelled the handshake", "the handshake was cancelled"},
    {100, "the peer refuses a new handshake", "a new handshake is refused"},
    {109, "the peer wants a certificate of ours", "the peer has no certificate"},
    {112, "the peer does not know the host name it was asked for", "the host name asked for is not known here"},
    {113, "the peer could not check our certificate's status", "the certificate's status could not be checked"},
    {116, "the peer wants a certificate of ours", "the peer has no certificate"},
    {120, "the peer speaks none of the protocols we named", "the peer names only protocols that are not spoken here"},
};

const char *tls_why(int number, enum tls_alert *alert) {
    *alert = TLS_ALERT_NONE;
    if (number >= BR_ERR_RECV_FATAL_ALERT) {
        bool sent = number >= BR_ERR_SEND_FATAL_ALERT;
        int which = number - (sent ? BR_ERR_SEND_FATAL_ALERT : BR_ERR_RECV_FATAL_ALERT);
        for (size_t i = 0; i < sizeof of_alerts / sizeof *of_alerts; i++)
            if (of_alerts[i].alert == which) return sent ? of_alerts[i].sent : of_alerts[i].got;
        return sent ? "the handshake failed" : "the peer refused the connection";
    }
    for (size_t i = 0; i < sizeof of_engine / sizeof *of_engine; i++) {
        if (of_engine[i].number != number) continue;
        *alert = of_engine[i].alert;
        return of_engine[i].why;
    }
    if (number >= BR_ERR_X509_INVALID_VALUE && number <= BR_ERR_X509_NOT_TRUSTED) {
        *alert = TLS_ALERT_BAD_CERTIFICATE;
        return "the peer's certificate cannot be read";
    }
    *alert = TLS_ALERT_INTERNAL;
    return "TLS failed";
}

const char *tls_suite_name(uint16_t suite) {
    switch (suite) {
    case BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: return "ECDHE-ECDSA-AES128-GCM-SHA256";
    case BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: return "ECDHE-ECDSA-AES256-GCM-SHA384";
    case BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: return "ECDHE-ECDSA-CHACHA20-POLY1305";
    case BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: return "ECDHE-RSA-AES128-GCM-SHA256";
    case BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: return "ECDHE-RSA-AES256-GCM-SHA384";
    case BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: return "ECDHE-RSA-CHACHA20-POLY1305";
    default: return NULL;
    }
}
