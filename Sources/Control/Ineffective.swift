import Corefile

extension Configuration {
  /// What a Corefile asks for in vain, and what this version reads, checks, and does not do: a line each, with its place.
  var ineffective: [String] {
    let ofBlocks = blocks.flatMap { block in
      var found: [(SourceLocation, String)] = []
      if let debug = block.debug { found.append((debug, "debug")) }
      if let cache = block.cache, cache.prefersPositive, cache.serveStale == nil {
        found.append((cache.location, "cache: serve_stale_policy without serve_stale"))
      }
      if let trace = block.trace { found.append((trace.location, "trace: no traces are sent, so it")) }
      if let pprof = block.pprof { found.append((pprof.location, "pprof: there is no Go runtime to profile, so it")) }
      for forward in block.forward {
        for option in forward.ineffective { found.append((forward.location, "forward: \(option)")) }
      }
      return found.map { "\($0.0) - \($0.1) has no effect in this version of ringlet" }
    }
    return emptyImports + ofBlocks
  }
}

extension ForwardDirective {
  /// Options that differ from their defaults and are not acted upon.
  fileprivate var ineffective: [String] {
    if usesTLS { return [] }
    return [("tls", tls != nil), ("tls_servername", tlsServerName != nil)].filter(\.1).map {
      "\($0.0): no target is tls://IP, so it"
    }
  }
}
