/* TLS towards upstreams by OpenSSL 3, without I/O: octets in, octets out. Every buffer has a fixed size. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

enum {
  CTLS_INPUT = 16 << 10,         /* what one read from the socket may bring */
  CTLS_OUTPUT = (16 << 10) + 512, /* a record at its largest, or all that the handshake says at once */
  CTLS_FAILURE = 256,
  CTLS_SHA512 = 64, /* octets of a digest */
};

/* How one `forward` asks its upstreams: whose certificates it trusts, and its own. Threads may share it. */
struct ctls_context;
/* One shard's way to one upstream: its name, and tickets to resume sessions with. */
struct ctls_client;
/* One connection. */
struct ctls_session;

/* TLS 1.2 or later. `is_dns`: says so (RFC 7858's name in ALPN). `verifies`: the other end's certificate and name; else
   anybody may be there. NULL: no memory. */
struct ctls_context *_Nullable ctls_context_new(int is_dns, int verifies);
void ctls_context_free(struct ctls_context *);

/* Trusts the certificates of a PEM text. Returns how many, or -1 where it is malformed (`ctls_reason`). */
int ctls_trust(struct ctls_context *, const void *_Nullable pem, size_t length);
/* The certificate to show, then those that vouch for it; and its private key, without a passphrase. 0, or -1. */
int ctls_certify(struct ctls_context *, const void *_Nullable pem, size_t length);
int ctls_sign(struct ctls_context *, const void *_Nullable pem, size_t length);
/* Why the last of these failed. The text is OpenSSL's and stays. */
const char *ctls_reason(void);

/* `name` is what the certificate must be for: a host name, which is sent to the server too (SNI), or an IP address. NULL:
   no memory. The context must live as long. */
struct ctls_client *_Nullable ctls_client_new(struct ctls_context *, const char *name, int is_address);
void ctls_client_free(struct ctls_client *);

/* NULL: no memory. The client must live as long. */
struct ctls_session *_Nullable ctls_session_new(struct ctls_client *);
void ctls_session_free(struct ctls_session *);

/* Where the next `CTLS_INPUT` octets of the socket go; `ctls_received` says how many came. All of them are used up when
   `ctls_handshake` and `ctls_read` say that they are pending. */
uint8_t *ctls_input(struct ctls_session *);
void ctls_received(struct ctls_session *, size_t length);
/* What is to be written to the socket; `ctls_sent` says how much of it was. */
const uint8_t *ctls_output(struct ctls_session *, size_t *length);
void ctls_sent(struct ctls_session *, size_t length);

enum {
  CTLS_FULL = 0,     /* handshake done */
  CTLS_RESUMED = 1,  /* the same, with an earlier session's ticket */
  CTLS_PENDING = -1, /* octets have to come, or to go out, first */
  CTLS_CLOSED = -2,  /* the other end said that it has no more to say */
  CTLS_FAILED = -3,  /* `ctls_failure` says why; only what is in the output is of use yet */
};
int ctls_handshake(struct ctls_session *);
/* Plaintext, at least one octet, or one of the above; 0 octets are not asked for. */
long ctls_read(struct ctls_session *, void *to, size_t length);
/* Makes one record of plaintext, at least one octet, and returns how many it took; pending: the output has to go first. */
long ctls_write(struct ctls_session *, const void *from, size_t length);
/* Says in the output that no more will be said. */
void ctls_close(struct ctls_session *);
/* Why the session failed; empty: it has not. */
const char *ctls_failure(struct ctls_session *);

/* SHA-512 of some octets, not of a secret. */
void ctls_sha512(const void *_Nullable octets, size_t length, uint8_t *digest);

#pragma clang assume_nonnull end
