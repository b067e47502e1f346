/// What Ringlet is measured against: each with its best settings for one thread that caches what the upstream says.
/// Those that can keep answers for an hour do; the others ask again for what the zone gives 30 s.
enum Peers {
  static let floors = ["floor-uring", "floor-recvmmsg"]
  /// The floor of a miss.
  static let relay = "floor-relay"
  static let all = [ringlet(shards: 1, ring: "epoll"), unbound, recursor, dnsdist, knot, dnsmasq]

  static func floor(_ name: String) -> Candidate {
    let kind = String(name.dropFirst("floor-".count))
    return Candidate(name: name, isNeeded: true, program: Toolchain.program("floor"), package: nil, version: []) {
      site in
      [Toolchain.program("floor"), kind, "\(site.port)"] + (name == relay ? ["\(site.upstream)"] : [])
    }
  }

  /// `ringlet`, or with a ring named `ringlet-epoll`.
  static func ringlet(shards: Int, ring: String? = nil) -> Candidate {
    let program = Toolchain.program("ringlet")
    let name = ring.map { "ringlet-\($0)" } ?? "ringlet"
    return Candidate(name: name, isNeeded: true, program: program, package: nil, version: ["-version"]) { site in
      try [program] + corefile(site) + ["-shards", "\(shards)", "-ring", ring ?? "io_uring"]
    }
  }

  static func nodeCache(_ path: String) -> Candidate {
    Candidate(name: "node-cache", program: path, package: nil, version: ["-version"]) { site in
      try ["env", "GOMAXPROCS=1", path] + corefile(site)
    }
  }

  /// The flags that node-cache and Ringlet share, with the cache sizes and TTLs of node-local installations.
  private static func corefile(_ site: Site) throws -> [String] {
    let text = """
      cluster.local:\(site.port) {
          errors
          cache {
              success 9984 30
              denial 9984 5
          }
          bind 127.0.0.1
          forward . 127.0.0.1:\(site.upstream) {
              force_tcp
          }
          prometheus 127.0.0.1:\(site.metrics)
      }

      """
    let path = try site.session.write("Corefile.\(site.port)", text)
    let template = try site.session.write("Corefile.\(site.port).base", text)
    return [
      "-localip", "127.0.0.1", "-dns.port", "\(site.port)", "-conf", path, "-basecorefile", template,
      "-setupinterface=false", "-setupiptables=false", "-metrics-listen-address",
      "127.0.0.1:\(try site.session.port())",
    ]
  }

  private static let unbound = Candidate(name: "unbound", program: "unbound", package: "unbound", version: ["-V"]) {
    site in
    let path = try site.session.write(
      "unbound.conf",
      """
      server:
       num-threads: 1
       interface: 127.0.0.1
       port: \(site.port)
       do-not-query-localhost: no
       username: ""
       chroot: ""
       directory: "\(site.session.directory)"
       pidfile: ""
       module-config: "iterator"
       msg-cache-size: 64m
       rrset-cache-size: 128m
       local-zone: "local" nodefault
       so-reuseport: yes
       so-rcvbuf: 4m
       cache-min-ttl: 3600
       minimal-responses: yes
      remote-control:
       control-enable: no
      forward-zone:
       name: "."
       forward-tcp-upstream: yes
       forward-addr: 127.0.0.1@\(site.upstream)

      """)
    return ["unbound", "-d", "-c", path]
  }

  private static let recursor = Candidate(
    name: "pdns-recursor", program: "pdns_recursor", package: "pdns-recursor", version: ["--version"]
  ) { site in
    _ = try site.session.write(
      "recursor.conf",
      """
      local-address=127.0.0.1
      local-port=\(site.port)
      forward-zones-recurse=.=127.0.0.1:\(site.upstream)
      threads=1
      socket-dir=\(site.session.directory)
      daemon=no
      dnssec=off
      security-poll-suffix=
      packetcache-ttl=3600
      minimum-ttl-override=3600
      serve-rfc1918=no
      dont-query=

      """)
    return ["pdns_recursor", "--config-dir=\(site.session.directory)", "--disable-syslog"]
  }

  private static let dnsdist = Candidate(
    name: "dnsdist", program: "dnsdist", package: "dnsdist", version: ["--version"]
  ) { site in
    let path = try site.session.write(
      "dnsdist.conf",
      """
      setLocal('127.0.0.1:\(site.port)', {reusePort=true})
      setUDPMultipleMessagesVectorSize(64)
      newServer({address='127.0.0.1:\(site.upstream)', checkInterval=3600})
      getPool(''):setCache(newPacketCache(100000, {maxTTL=86400}))
      setACL({'127.0.0.0/8'})
      setSecurityPollSuffix('')

      """)
    return ["dnsdist", "--supervised", "-C", path, "--disable-syslog"]
  }

  private static let knot = Candidate(
    name: "knot-resolver", program: "kresd", package: "knot-resolver", version: ["--version"]
  ) { site in
    let path = try site.session.write(
      "kresd.conf",
      """
      net.listen('127.0.0.1', \(site.port))
      trust_anchors.remove('.')
      cache.size = 100*MB
      cache.min_ttl(3600)
      policy.add(policy.all(policy.FORWARD({'127.0.0.1@\(site.upstream)'})))

      """)
    return ["kresd", "-n", "-c", path, site.session.directory]
  }

  private static let dnsmasq = Candidate(
    name: "dnsmasq", program: "dnsmasq", package: "dnsmasq-base", version: ["--version"]
  ) { site in
    [
      "dnsmasq", "-k", "-C", "/dev/null", "-p", "\(site.port)", "--listen-address=127.0.0.1", "--bind-interfaces",
      "--no-resolv", "--no-hosts", "--user=root", "--server=127.0.0.1#\(site.upstream)", "-c", "10000",
      "--dns-forward-max=250", "--min-cache-ttl=3600",
    ]
  }
}
