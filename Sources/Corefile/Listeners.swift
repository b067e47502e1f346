/// Refuses a zone that two blocks would serve on the same address and port.
///
/// Interfaces compare by name: whether one holds an address that another block binds is known when they are resolved.
func requireDistinctListeners(_ blocks: [ServerBlock]) throws(CorefileError) {
  struct Listener: Hashable {
    var key: ServerKey
    var address: BindAddress?
  }
  var seen: Set<Listener> = []
  /// Whether the key is bound to addresses or to all of them.
  var isBound: [ServerKey: Bool] = [:]
  for block in blocks {
    let addresses: [BindAddress?] = block.bindAddresses.isEmpty ? [nil] : block.bindAddresses
    if seen.count + block.keys.count * addresses.count > Limits.listeners {
      throw .grammar("configuration too large: more than \(Limits.listeners) listeners", at: block.location)
    }
    for key in block.keys {
      for address in addresses {
        let suffix = address.map { " on \($0)" } ?? ""
        if !seen.insert(Listener(key: key, address: address)).inserted {
          throw CorefileError("cannot serve \(key)\(suffix) - it is already defined", at: block.location)
        }
        if isBound[key, default: address != nil] != (address != nil) {
          throw CorefileError(
            "cannot serve \(key)\(suffix) - zone overlap listener capacity: bound to all addresses and to some",
            at: block.location)
        }
        isBound[key] = address != nil
      }
    }
  }
}
