/// The part of `--help` that says what the server answers; at most 80 columns, so that it is not wrapped.
let manual = """
  WHAT IT ANSWERS: TTL 30, AA set; NXDOMAIN and NODATA with SOA, good for 30 s.

    svc-N.ns-M.svc.cluster.local     A 10.96.(N/250).(N%250+1)
                                     for N < 5000 and M = N mod 50
    alias-N.ns-M.svc.cluster.local   CNAME of svc-N in that namespace, and its A
    pods-K.ns-0.svc.cluster.local    K addresses, 1 to 4000, 250 per /24,
                                     from 10.244.0.1 on
    _http._tcp.svc-N.ns-M.svc.cluster.local
                                     SRV 0 100 80 of svc-N, and its A
    D.C.96.10.in-addr.arpa           PTR of the service at 10.96.C.D
    anything else                    NXDOMAIN in these zones, REFUSED outside
                                     (but see --any)

  SCRIPTED NAMES: labels at the left of a name say what happens to its questions.
  They stack, in any order: delay-300.ttl-5.svc-1.ns-1.svc.cluster.local. The
  owner of what is answered is the full name.

    u-ANYTHING      nothing: makes endless distinct names
    ttl-N           all TTLs are N, the negative one too
    delay-N         the answer waits N milliseconds (at most 60000)
    drop            no answer
    servfail        SERVFAIL; likewise refused and formerr
    tc              UDP: empty with TC; TCP: the full answer
    badid           another id
    badquestion     the question section names another name
    dup             the answer twice; with badid or badquestion the second
                    one is right
    soaless         NXDOMAIN or NODATA without SOA
    noopt           no OPT, though the question has one
    first-N         the rest of the script counts for the first N questions
                    of this name and type only
  Over TCP only; over UDP they do nothing:
    close           FIN in place of the answer
    reset-after-N   RST after N octets of the answer, its two length octets
                    included
    split-N         the answer in pieces of N octets, 1 ms apart
    split-N-M       the same, M ms apart (at most 1000)

  EXAMPLES
    standin --port 5390 --control 5391 --serial
    dig @127.0.0.1 -p 5390 svc-42.ns-42.svc.cluster.local
    kdig @127.0.0.1 -p 5390 +tcp delay-300.u-x.svc-1.ns-1.svc.cluster.local
    curl -s '127.0.0.1:5391/counts?svc-42.ns-42.svc.cluster.local'
  """
