#include "CTLS.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  TICKETS = 4,    /* as many as connections are opened at once */
  OVERHEAD = 512, /* of a record over its plaintext, at most (RFC 8446 §5.2, RFC 5246 §6.2.3) */
};

struct ctls_client {
  SSL_CTX *context;
  char *name;
  int is_address;
  int tickets;
  SSL_SESSION *ticket[TICKETS]; /* the newest last */
};

struct ctls_session {
  SSL *ssl;
  struct ctls_client *client;
  size_t in_start, in_end, out_start, out_end;
  char failure[CTLS_FAILURE];
  uint8_t in[CTLS_INPUT];
  uint8_t out[CTLS_OUTPUT];
};

/* The socket, as OpenSSL sees it: the two buffers of a session. */
static int socket_read(BIO *bio, char *to, int size) {
  struct ctls_session *s = BIO_get_data(bio);
  size_t count = s->in_end - s->in_start;
  BIO_clear_retry_flags(bio);
  if (count == 0 || size <= 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  if (count > (size_t)size) count = (size_t)size;
  memcpy(to, s->in + s->in_start, count);
  s->in_start += count;
  return (int)count;
}

static int socket_write(BIO *bio, const char *from, int size) {
  struct ctls_session *s = BIO_get_data(bio);
  size_t room = CTLS_OUTPUT - s->out_end;
  BIO_clear_retry_flags(bio);
  if (room == 0 || size <= 0) {
    BIO_set_retry_write(bio);
    return -1;
  }
  if (room > (size_t)size) room = (size_t)size;
  memcpy(s->out + s->out_end, from, room);
  s->out_end += room;
  return (int)room;
}

static long socket_control(BIO *bio, int what, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return what == BIO_CTRL_FLUSH;
}

static BIO_METHOD *sockets;

/* A session that can be resumed: of TLS 1.3, one for each ticket that comes. Returns 1 to keep it. */
static int keep_ticket(SSL *ssl, SSL_SESSION *ticket) {
  struct ctls_session *s = SSL_get_app_data(ssl);
  struct ctls_client *client = s->client;
  if (client->tickets == TICKETS) {
    SSL_SESSION_free(client->ticket[0]);
    memmove(client->ticket, client->ticket + 1, (TICKETS - 1) * sizeof client->ticket[0]);
    client->tickets--;
  }
  client->ticket[client->tickets++] = ticket;
  return 1;
}

static void prepare(void) {
  /* No configuration file: what is allowed is said here, and the image has none. */
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
  sockets = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ring");
  if (!sockets) return;
  BIO_meth_set_read(sockets, socket_read);
  BIO_meth_set_write(sockets, socket_write);
  BIO_meth_set_ctrl(sockets, socket_control);
}

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *to, int size, int writing, void *data) {
  (void)to, (void)size, (void)writing, (void)data;
  return -1;
}

static SSL_CTX *of(struct ctls_context *context) { return (SSL_CTX *)context; }

struct ctls_context *ctls_context_new(int is_dns, int verifies) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static const unsigned char dot[] = {3, 'd', 'o', 't'};
  pthread_once(&once, prepare);
  if (!sockets) return NULL;
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) return NULL;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
  /* Whatever certificate is trusted ends a chain, as in Go: an authority's below the root, too. */
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_ticket);
  /* 0 is success. */
  if (is_dns && SSL_CTX_set_alpn_protos(context, dot, sizeof dot) != 0) {
    SSL_CTX_free(context);
    return NULL;
  }
  return (struct ctls_context *)context;
}

void ctls_context_free(struct ctls_context *context) { SSL_CTX_free(of(context)); }

/* The next certificate of a PEM text. NULL: its end, with an empty error queue, or a malformed one. */
static X509 *next_certificate(BIO *text) {
  X509 *certificate = PEM_read_bio_X509(text, NULL, no_passphrase, NULL);
  unsigned long error = ERR_peek_last_error();
  if (!certificate && ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
    ERR_clear_error();
  return certificate;
}

/* Texts come from files of less than 2 GiB. NULL only without memory. */
static BIO *reading(const void *pem, size_t length) {
  ERR_clear_error();
  return BIO_new_mem_buf(pem ? pem : "", (int)length);
}

int ctls_trust(struct ctls_context *context, const void *pem, size_t length) {
  X509_STORE *store = SSL_CTX_get_cert_store(of(context));
  BIO *text = reading(pem, length);
  X509 *certificate;
  int count = 0;
  while (text && (certificate = next_certificate(text))) {
    count += X509_STORE_add_cert(store, certificate);
    X509_free(certificate);
  }
  BIO_free(text);
  return text && ERR_peek_error() == 0 ? count : -1;
}

int ctls_certify(struct ctls_context *context, const void *pem, size_t length) {
  BIO *text = reading(pem, length);
  X509 *certificate;
  int count = 0, isTaken = 1;
  while (text && isTaken && (certificate = next_certificate(text))) {
    isTaken = count == 0 ? SSL_CTX_use_certificate(of(context), certificate)
                         : (int)SSL_CTX_add1_chain_cert(of(context), certificate);
    X509_free(certificate);
    count++;
  }
  BIO_free(text);
  return count > 0 && isTaken && ERR_peek_error() == 0 ? 0 : -1;
}

int ctls_sign(struct ctls_context *context, const void *pem, size_t length) {
  BIO *text = reading(pem, length);
  EVP_PKEY *key = text ? PEM_read_bio_PrivateKey(text, NULL, no_passphrase, NULL) : NULL;
  int isTaken = key && SSL_CTX_use_PrivateKey(of(context), key) == 1;
  EVP_PKEY_free(key);
  BIO_free(text);
  return isTaken ? 0 : -1;
}

const char *ctls_reason(void) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason ? reason : "there is none in it";
}

struct ctls_client *ctls_client_new(struct ctls_context *context, const char *name, int is_address) {
  struct ctls_client *client = calloc(1, sizeof *client);
  if (!client) return NULL;
  client->context = of(context);
  client->is_address = is_address;
  client->name = strdup(name);
  if (!client->name) {
    free(client);
    return NULL;
  }
  return client;
}

void ctls_client_free(struct ctls_client *client) {
  while (client->tickets > 0) SSL_SESSION_free(client->ticket[--client->tickets]);
  free(client->name);
  free(client);
}

/* Whom the other end must be (RFC 8310 §5: strict). Only names in subjectAltName count, as in RFC 6125bis and Go. */
static int set_name(SSL *ssl, const struct ctls_client *client) {
  if (client->is_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), client->name);
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  return SSL_set1_host(ssl, client->name) && SSL_set_tlsext_host_name(ssl, client->name);
}

/* A ticket of TLS 1.3 is used once (RFC 8446 §C.4). */
static void use_ticket(SSL *ssl, struct ctls_client *client) {
  if (client->tickets == 0) return;
  SSL_SESSION *ticket = client->ticket[client->tickets - 1];
  SSL_set_session(ssl, ticket);
  if (SSL_SESSION_get_protocol_version(ticket) < TLS1_3_VERSION) return;
  client->tickets--;
  SSL_SESSION_free(ticket);
}

struct ctls_session *ctls_session_new(struct ctls_client *client) {
  ERR_clear_error();
  struct ctls_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  BIO *bio = BIO_new(sockets);
  s->client = client;
  s->ssl = SSL_new(client->context);
  if (!bio || !s->ssl || !set_name(s->ssl, client)) {
    BIO_free(bio);
    SSL_free(s->ssl);
    free(s);
    ERR_clear_error();
    return NULL;
  }
  BIO_set_data(bio, s);
  BIO_set_init(bio, 1);
  SSL_set_bio(s->ssl, bio, bio);
  SSL_set_app_data(s->ssl, s);
  SSL_set_connect_state(s->ssl);
  use_ticket(s->ssl, client);
  return s;
}

void ctls_session_free(struct ctls_session *s) {
  /* A connection that ended without close_notify has done no harm: its session may be resumed all the same (RFC 5246
     §7.2.1). One that failed may not, and OpenSSL has marked it. */
  if (!s->failure[0]) SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(s->ssl);
  free(s);
}

uint8_t *ctls_input(struct ctls_session *s) { return s->in; }

void ctls_received(struct ctls_session *s, size_t length) {
  s->in_start = 0;
  s->in_end = length;
}

const uint8_t *ctls_output(struct ctls_session *s, size_t *length) {
  *length = s->out_end - s->out_start;
  return s->out + s->out_start;
}

void ctls_sent(struct ctls_session *s, size_t length) {
  s->out_start += length;
  if (s->out_start == s->out_end) s->out_start = s->out_end = 0;
}

/* What a call that returned `result` means; notes why the session failed. */
static int outcome(struct ctls_session *s, int result) {
  int error = SSL_get_error(s->ssl, result);
  if (error == SSL_ERROR_WANT_READ) return CTLS_PENDING;
  if (error == SSL_ERROR_ZERO_RETURN) return CTLS_CLOSED;
  long verdict = SSL_get_verify_result(s->ssl);
  const char *reason =
      error == SSL_ERROR_WANT_WRITE ? "there is more to say than fits a record" : ERR_reason_error_string(ERR_peek_error());
  if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
    snprintf(s->failure, sizeof s->failure, "the certificate is not for %s", s->client->name);
  else if (verdict != X509_V_OK)
    snprintf(s->failure, sizeof s->failure, "the certificate is refused: %s", X509_verify_cert_error_string(verdict));
  else
    snprintf(s->failure, sizeof s->failure, "%s", reason ? reason : "TLS failed");
  ERR_clear_error();
  return CTLS_FAILED;
}

int ctls_handshake(struct ctls_session *s) {
  if (s->failure[0]) return CTLS_FAILED;
  ERR_clear_error();
  int result = SSL_do_handshake(s->ssl);
  if (result != 1) return outcome(s, result);
  return SSL_session_reused(s->ssl) ? CTLS_RESUMED : CTLS_FULL;
}

long ctls_read(struct ctls_session *s, void *to, size_t length) {
  if (s->failure[0]) return CTLS_FAILED;
  size_t count = 0;
  ERR_clear_error();
  int result = SSL_read_ex(s->ssl, to, length, &count);
  return result == 1 ? (long)count : outcome(s, result);
}

long ctls_write(struct ctls_session *s, const void *from, size_t length) {
  if (s->failure[0]) return CTLS_FAILED;
  size_t count = 0, room = CTLS_OUTPUT - s->out_end;
  if (room <= OVERHEAD) return CTLS_PENDING;
  if (length > room - OVERHEAD) length = room - OVERHEAD;
  ERR_clear_error();
  int result = SSL_write_ex(s->ssl, from, length, &count);
  return result == 1 ? (long)count : outcome(s, result);
}

void ctls_close(struct ctls_session *s) {
  if (s->failure[0] || !SSL_is_init_finished(s->ssl)) return;
  ERR_clear_error();
  SSL_shutdown(s->ssl);
  ERR_clear_error();
}

const char *ctls_failure(struct ctls_session *s) { return s->failure; }

void ctls_sha512(const void *octets, size_t length, uint8_t *digest) {
  SHA512(octets, length, digest);
}
