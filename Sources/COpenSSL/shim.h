// OpenSSL 3 as Swift sees it: the headers, and inline functions for what is a macro and so has no name in Swift.
// Nothing here owns memory; the owners are in Cryptography and TLS.

#ifndef CATRACA_COPENSSL_SHIM_H
#define CATRACA_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// BIO_get_mem_data is a macro over BIO_ctrl with a cast.
static inline long catraca_BIO_get_mem_data(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

// A passphrase callback that has none: without it OpenSSL asks on the terminal when a PEM file is encrypted.
static inline int catraca_no_passphrase(char *buffer, int size, int writing, void *context) {
  (void)buffer; (void)size; (void)writing; (void)context;
  return -1;
}

// Wraps the callback: a static inline function's address cannot be taken from Swift.
static inline EVP_PKEY *catraca_PEM_read_bio_PrivateKey(BIO *bio) {
  return PEM_read_bio_PrivateKey(bio, NULL, catraca_no_passphrase, NULL);
}

// Variadic through a macro: the key type and its size or curve are its last arguments.
static inline EVP_PKEY *catraca_EVP_RSA_gen(unsigned int bits) { return EVP_RSA_gen(bits); }
static inline EVP_PKEY *catraca_EVP_EC_gen(const char *curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *catraca_EVP_PKEY_Q_keygen(const char *type) { return EVP_PKEY_Q_keygen(NULL, NULL, type); }

// The string macros of core_names.h.
static inline const char *catraca_param_rsa_n(void) { return OSSL_PKEY_PARAM_RSA_N; }
static inline const char *catraca_param_rsa_e(void) { return OSSL_PKEY_PARAM_RSA_E; }
static inline const char *catraca_param_group_name(void) { return OSSL_PKEY_PARAM_GROUP_NAME; }
static inline const char *catraca_param_public_key(void) { return OSSL_PKEY_PARAM_PUB_KEY; }
static inline const char *catraca_param_ec_x(void) { return OSSL_PKEY_PARAM_EC_PUB_X; }
static inline const char *catraca_param_ec_y(void) { return OSSL_PKEY_PARAM_EC_PUB_Y; }
static inline const char *catraca_param_digest(void) { return OSSL_MAC_PARAM_DIGEST; }

#endif
