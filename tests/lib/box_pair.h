/* box_pair.h - a certificate for box.test and its key, made for tests and used nowhere else. */
#ifndef TESTS_BOX_PAIR_H
#define TESTS_BOX_PAIR_H

/* For box.test, P-256, valid for a hundred years. */
static const char chain[] = "-----BEGIN CERTIFICATE-----\n"
                            "MIIBiDCCAS6gAwIBAgIUCB+zfNfEGo+q+CwXLgFczH57OXMwCgYIKoZIzj0EAwIw\n"
                            "DjEMMAoGA1UEAwwDYm94MCAXDTI2MTEyMTE0MzkwMloYDzIxMjYxMDI4MTQzOTAy\n"
                            "WjAOMQwwCgYDVQQDDANib3gwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQGJqua\n"
                            "LSEXfbwjgkNjf3rwQ1QjR2uZ4Q/OvbQOY24YU/zzXlkOUr6+PUCriIsY9ILSKYin\n"
                            "hgjghCoRIFOsewuRo2gwZjAdBgNVHQ4EFgQUJRMviZLND7LZIiju8AebHfr1lkMw\n"
                            "HwYDVR0jBBgwFoAUJRMviZLND7LZIiju8AebHfr1lkMwDwYDVR0TAQH/BAUwAwEB\n"
                            "/zATBgNVHREEDDAKgghib3gudGVzdDAKBggqhkjOPQQDAgNIADBFAiBBiDLzplKo\n"
                            "DeQSU0mJMlYrZF/TBluLqUs25iFEROz3pQIhANArIWawlhj1mrq8hyYAXlnLIXBt\n"
                            "SkIv/5eXUKdYlInI\n"
                            "-----END CERTIFICATE-----\n";
static const char key[] = "-----BEGIN EC PRIVATE KEY-----\n"
                          "MHcCAQEEIJT7cTGzjwTYbKYzZiOk8mi5yebGieXJlfu6051uyopToAoGCCqGSM49\n"
                          "AwEHoUQDQgAEBiarmi0hF328I4JDY3968ENUI0drmeEPzr20DmNuGFP8815ZDlK+\n"
                          "vj1Aq4iLGPSC0imIp4YI4IQqESBTrHsLkQ==\n"
                          "-----END EC PRIVATE KEY-----\n";

#endif
