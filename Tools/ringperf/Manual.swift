/// What `--help` says before the flags.
let manual = """
  dnsperf's flags mean what they mean there, and so do the lines of the report; what follows is more.

  QUERIES  A line 'NAME TYPE' each; what follows the type is ignored, and so are empty lines and those that begin with ';'. \
  Without -d, the Kubernetes mix: nine lookups in ten ask for one of 5000 services, svc-I.ns-(I mod 50).svc.cluster.local, \
  by absolute name, one for one of 100 names host-I.example.com, through the search path; both by Zipf's law (--zipf, 1 \
  unless given). A and AAAA together, as with --pods. One run through the mix (-n) is 5100 lookups.

  CLOSED LOOP  Unless --rate is given, a query leaves when fewer than -q are out. A server that stalls is then asked less, \
  and its stall counts in few latencies; with 32 queries or more out, answers are gathered for up to 50 us. Compare rates \
  this way, not latencies.

  OPEN LOOP  With --rate, queries leave at their instants whatever comes back, and a latency counts from the instant at \
  which its query should have left. The CPU polls between instants.

  PODS  Each source socket stands for a pod of namespace ns-(socket mod 50), with ndots:5 and the search path \
  <namespace>.svc.cluster.local svc.cluster.local cluster.local. --search takes relative names through it, up to the first \
  positive answer: each suffix in turn, then the name itself; with five dots or more, the name itself, then each suffix. A \
  timeout ends a lookup; nothing is asked twice. Names that end in a dot are not expanded. In an open loop the \
  later steps of a lookup count towards --rate.

  CHECKS  --verify holds each answer to the first one that its question got: question, response code, number of answers, \
  and a TTL (the largest of answer and authority) no higher. Start with an empty cache: an entry met half-way through its \
  life makes the next TTL look too high. Answers that come after their timeout are held to it as long as no later query \
  has taken the place of theirs. Answers that no query can be matched with are wrong too. They and those with another \
  question do not end the wait.

  SWEEP  Open loops of --sweep-seconds at doubling rates, then halving the interval. A rate that ringperf itself could \
  not send counts as too much. The first that is too much is tried once more, and the second try counts.

  PROGRESS  A line each second on standard error; '-W 2>/dev/null' is a run without it that keeps warnings and errors.

  EXIT CODE  0; 1 without any answer, with a wrong one (--verify), or on an error; 64 for flags that do not fit; 130 after \
  Ctrl-C, which prints the report so far.

  EXAMPLES
    ringperf -s 169.254.20.10 -d queries.txt -l 30 -c 16 -q 200
    ringperf -s 169.254.20.10 --pods 2000 --rate 20000 -l 30 --hgrm latency.hgrm
    ringperf -s 127.0.0.1 -p 5300 --sweep --svg sweep.svg --json sweep.json
  """
