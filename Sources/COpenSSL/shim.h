// OpenSSL 3 as Swift sees it: the headers, and inline functions for what is a macro and so has no name in Swift.
// Nothing here owns memory. The owners are in Cryptography and TLS.

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
#include <openssl/hmac.h>
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

static inline X509 *catraca_PEM_read_bio_X509(BIO *bio) {
  return PEM_read_bio_X509(bio, NULL, catraca_no_passphrase, NULL);
}

// A macro over ASN1_d2i_bio_of.
static inline OCSP_RESPONSE *catraca_d2i_OCSP_RESPONSE_bio(BIO *bio) { return d2i_OCSP_RESPONSE_bio(bio, NULL); }

// A single response's serial number lies in an id whose const Swift cannot cast away.
static inline int catraca_OCSP_single_is_for(const OCSP_SINGLERESP *single, const ASN1_INTEGER *serial) {
  ASN1_INTEGER *found = NULL;
  OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
  return OCSP_id_get0_info(NULL, NULL, NULL, &found, id) == 1 && ASN1_INTEGER_cmp(found, serial) == 0;
}

// Flags that are made with casts or of others.
static inline void catraca_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline int catraca_X509_NAME_print(BIO *bio, const X509_NAME *name) {
  return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
}

// Variadic through a macro: the key type and its size or curve are its last arguments.
static inline EVP_PKEY *catraca_EVP_RSA_gen(unsigned int bits) { return EVP_RSA_gen(bits); }
static inline EVP_PKEY *catraca_EVP_EC_gen(const char *curve) { return EVP_EC_gen(curve); }
static inline EVP_PKEY *catraca_EVP_PKEY_Q_keygen(const char *type) { return EVP_PKEY_Q_keygen(NULL, NULL, type); }

// Parameters with a pointer for every kind of value.
static inline int catraca_EVP_set_tag(EVP_CIPHER_CTX *context, unsigned char *tag, int count) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, count, tag);
}
static inline int catraca_EVP_get_tag(EVP_CIPHER_CTX *context, unsigned char *tag, int count) {
  return EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, count, tag);
}

// A macro of others.
static inline int catraca_EVP_PKEY_PUBLIC_KEY(void) { return EVP_PKEY_PUBLIC_KEY; }

// The string macros of core_names.h.
static inline const char *catraca_param_rsa_n(void) { return OSSL_PKEY_PARAM_RSA_N; }
static inline const char *catraca_param_rsa_e(void) { return OSSL_PKEY_PARAM_RSA_E; }
static inline const char *catraca_param_group_name(void) { return OSSL_PKEY_PARAM_GROUP_NAME; }
static inline const char *catraca_param_public_key(void) { return OSSL_PKEY_PARAM_PUB_KEY; }
static inline const char *catraca_param_ec_x(void) { return OSSL_PKEY_PARAM_EC_PUB_X; }
static inline const char *catraca_param_ec_y(void) { return OSSL_PKEY_PARAM_EC_PUB_Y; }
static inline const char *catraca_param_digest(void) { return OSSL_MAC_PARAM_DIGEST; }
static inline const char *catraca_param_mac_key(void) { return OSSL_MAC_PARAM_KEY; }

// The options are macros with a cast to uint64_t, which Swift does not import.
static inline uint64_t catraca_server_options(void) {
  return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
}
static inline uint64_t catraca_client_options(void) { return SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION; }

// Macros that cast a function pointer.
static inline void catraca_SSL_CTX_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
  SSL_CTX_set_tlsext_servername_callback(context, callback);
}
static inline void catraca_SSL_CTX_set_status_callback(SSL_CTX *context, int (*callback)(SSL *, void *)) {
  SSL_CTX_set_tlsext_status_cb(context, callback);
}

// Stacks are typed by macros.
static inline int catraca_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline const GENERAL_NAME *catraca_names_at(const GENERAL_NAMES *names, int index) {
  return sk_GENERAL_NAME_value(names, index);
}

#endif
