import Engine

extension EngineMetrics {
  func addUpstreams(to out: inout Exposition) {
    for (index, upstream) in settings.upstreams.enumerated() {
      addDurations(index, upstream.label, to: &out)
      for (name, help, word) in [
        (
          "coredns_proxy_conn_cache_hits_total", "Counter of connection cache hits per upstream and protocol.",
          Counters.Exchange.connectionHits
        ),
        (
          "coredns_proxy_conn_cache_misses_total", "Counter of connection cache misses per upstream and protocol.",
          Counters.Exchange.connectionMisses
        ),
      ] {
        for transport in 0..<2 {
          let proto = upstream.tls == nil ? Self.transports[transport] : "tcp-tls"
          let count = total(index, word + transport)
          guard count > 0 else { continue }
          out.counter(
            name, Double(count), help: help,
            labels: ["proxy_name": "forward", "to": upstream.label, "proto": proto])
        }
      }
      if upstream.tls != nil {
        for end in Counters.Handshake.allCases {
          out.counter(
            "ringlet_tls_handshakes_total", Double(total(index, Counters.Exchange.handshakes + end.rawValue)),
            help: "TLS handshakes with upstreams: full, resumed with a ticket, and failed.",
            labels: ["to": upstream.label, "result": "\(end)"])
        }
      }
      let failedProbes = total(index, Counters.Exchange.failedProbes)
      if failedProbes > 0 {
        out.counter(
          "coredns_proxy_healthcheck_failures_total", Double(failedProbes),
          help: "Counter of the number of failed healthchecks.",
          labels: ["proxy_name": "forward", "to": upstream.label])
      }
    }
    for (label, indices) in Dictionary(grouping: settings.upstreams.indices, by: { settings.upstreams[$0].label }) {
      let isUp = counters.contains { shard in
        indices.contains { shard.read(upstream: $0, Counters.Exchange.isUp) == 1 }
      }
      out.gauge(
        "ringlet_upstream_up", isUp ? 1 : 0, help: "1 unless every shard holds the upstream for down.",
        labels: ["to": label])
    }
    out.counter(
      "coredns_forward_healthcheck_broken_total", Double(total(.allDown)),
      help: "Counter of the number of complete failures of the healthchecks.")
    out.counter(
      "coredns_forward_max_concurrent_rejects_total", Double(total(.concurrencyRejects)),
      help: "Counter of the number of queries rejected because the concurrent queries were at maximum.")
  }

  private func addDurations(_ upstream: Int, _ label: String, to out: inout Exposition) {
    for rcode in 0..<Counters.Exchange.rcodes {
      let row = Counters.Exchange.durations + rcode * Counters.Exchange.durationWords
      let counts = (0...Buckets.durations).map { total(upstream, row + $0) }
      guard counts.contains(where: { $0 > 0 }) else { continue }
      out.histogram(
        "coredns_proxy_request_duration_seconds",
        Histogram(
          bounds: Histogram.timeBounds, counts: counts,
          sum: Double(total(upstream, row + Buckets.durations + 1)) * 1e-9),
        help: "Histogram of the time each request took.",
        labels: ["proxy_name": "forward", "to": label, "rcode": rcodeLabel(rcode)])
    }
  }

  private func total(_ upstream: Int, _ word: Int) -> UInt64 {
    counters.reduce(0) { $0 &+ $1.read(upstream: upstream, word) }
  }

  private func total(_ word: Counters.Shard) -> UInt64 { counters.reduce(0) { $0 &+ $1.read(word) } }

  /// What only Ringlet has, under `ringlet_`.
  func addShards(to out: inout Exposition) {
    for tier in rings.inUse {
      out.gauge(
        "ringlet_ring_info", 1, help: "What shards receive and send with, and why.",
        labels: ["tier": tier.kind.rawValue, "reason": tier.reason])
    }
    for (shard, counters) in counters.enumerated() {
      for (name, help, word) in [
        ("ringlet_datagrams_total", "Datagrams received.", Counters.Shard.datagrams),
        ("ringlet_stream_messages_total", "Messages received over TCP.", .frames),
        ("ringlet_replies_total", "Replies sent, over UDP and TCP.", .replies),
        ("ringlet_ignored_total", "Messages that are no query: too short, a response, over 2 KiB.", .ignored),
        ("ringlet_malformed_total", "Messages answered with FORMERR, NOTIMP or BADVERS.", .malformed),
        ("ringlet_streams_total", "TCP connections accepted.", .streams),
        ("ringlet_joined_misses_total", "Queries that waited for a question another had asked.", .joined),
        ("ringlet_hedged_questions_total", "Questions that were slow and so were asked elsewhere too.", .hedged),
        ("ringlet_timeouts_total", "Questions that got SERVFAIL for want of an answer.", .timeouts),
        (
          "ringlet_mismatched_datagrams_total", "Datagrams from upstreams that answer nothing asked.",
          .mismatches
        ),
        ("ringlet_receive_rearms_total", "Times that receiving stopped for want of buffers.", .buffersExhausted),
      ] {
        out.counter(
          name, Double(counters.read(word)), help: help,
          labels: ["shard": "\(shard)"])
      }
    }
    for (reason, word) in [
      ("expired", Counters.Shard.staleAtOnce), ("failed", .staleFailed), ("late", .staleLate), ("denied", .staleDenied),
    ] {
      for (shard, counters) in counters.enumerated() {
        out.counter(
          "ringlet_stale_answers_total", Double(counters.read(word)),
          help: "Answers kept beyond what upstream says: expired, or upstream failed, was late, or denied the name.",
          labels: ["shard": "\(shard)", "reason": reason])
      }
    }
    for (shard, counters) in counters.enumerated() {
      out.gauge(
        "ringlet_pending_questions", Double(counters.read(.pending)), help: "Questions that wait for an upstream.",
        labels: ["shard": "\(shard)"])
    }
    for (shard, counters) in counters.enumerated() {
      out.gauge(
        "ringlet_oldest_question_seconds", Double(counters.read(.oldest)) / 1000,
        help: "How long the oldest of them has waited.", labels: ["shard": "\(shard)"])
    }
    for shard in counters.indices {
      out.counter(
        "ringlet_kernel_drops_total", Double(listeners[shard].drops),
        help: "Datagrams that the kernel dropped because the shard's socket was full, or a client was throttled.",
        labels: ["shard": "\(shard)"])
    }
    for (shard, counters) in counters.enumerated() {
      out.gauge(
        "ringlet_throttled_clients", Double(counters.read(.throttled)),
        help: "Clients that ask more than there is time to answer: the kernel drops a part of what they send.",
        labels: ["shard": "\(shard)"])
    }
    for shard in counters.indices {
      out.gauge(
        "ringlet_mailbox_bytes", Double(fabric.mailDepth(shard)), help: "Letters of other shards that wait to be read.",
        labels: ["shard": "\(shard)"])
    }
    for (reason, word) in [
      ("backlog", Counters.Shard.droppedBacklog), ("send_slots", .droppedNoSlot), ("not_sent", .droppedNotSent),
      ("client_gone", .droppedClientGone), ("ring_refused", .droppedRingRefused),
      ("questions", .refusedQuestions), ("questions_of_client", .refusedClient),
      ("questions_external", .refusedExternal), ("mailbox", .refusedMail), ("streams", .streamsRefused),
    ] {
      out.counter(
        "ringlet_dropped_total", Double(total(word)),
        help: "For want of room: queries with SERVFAIL or an old answer (questions, questions_of_client, "
          + "questions_external, mailbox), queries without an answer (backlog, send_slots, not_sent, client_gone, "
          + "ring_refused), connections closed at once (streams).",
        labels: ["reason": reason])
    }
    out.counter(
      "ringlet_log_events_lost_total", Double(total(.eventsLost)),
      help: "Log lines given up because the log could not keep up.")
    out.counter(
      "ringlet_cache_refused_total", Double(total(.insertsRefused)),
      help: "Answers not kept: too large, or no room in their bucket.")
  }
}
