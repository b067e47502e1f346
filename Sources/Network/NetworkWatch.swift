import CNetlink
import Corefile
import Glibc

/// The kernel's word on what others take away: links, addresses, and rules of nftables, which those of iptables-nft are
/// too. Legacy iptables tells nobody.
struct NetworkWatch {
  /// Something that is gone.
  enum Loss: Hashable {
    /// Our interface, or one of our addresses.
    case interface
    case rule(family: UInt8, table: String, chain: String)
    /// Events were lost: anything.
    case unknown
  }

  private let interface: String
  private let addresses: Set<[UInt8]>
  /// Nil where the kernel refuses them, as it does the rules' without NET_ADMIN: then only the interval is left.
  private let routes: NetlinkSocket?
  private let rules: NetlinkSocket?

  init(_ configuration: NetworkConfiguration) {
    interface = configuration.interface
    addresses = Set(configuration.addresses.map(\.bytes))
    routes = try? NetlinkSocket(
      NETLINK_ROUTE, groups: UInt32(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
    rules = try? NetlinkSocket(NETLINK_NETFILTER, groups: 1 << (UInt32(NFNLGRP_NFTABLES.rawValue) - 1))
  }

  /// Waits until something is lost, `wake` is readable or `end` has come; what was lost.
  func wait(until end: ContinuousClock.Instant, wake: Int32) -> Set<Loss> {
    while true {
      let left = max(0, (end - .now) / .milliseconds(1))
      // poll(2) passes over a negative descriptor.
      var polled = [wake, routes?.descriptor ?? -1, rules?.descriptor ?? -1].map {
        pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
      }
      // Sound: three entries. A minute at most, for an Int32 of milliseconds ends.
      let ready = unsafe poll(&polled, 3, Int32(min(left + 1, 60_000)))
      // Without memory for it (poll(2)): the next look is soon enough.
      if ready < 0 { sleep(1) }
      if ready > 0, polled[0].revents != 0 { return [] }
      var losses: Set<Loss> = []
      if ready > 0, polled[1].revents != 0 { losses.formUnion(Self.read(routes, loss(ofRoute:))) }
      if ready > 0, polled[2].revents != 0 { losses.formUnion(Self.read(rules, Self.loss(ofRule:))) }
      if !losses.isEmpty || ContinuousClock.now >= end { return losses }
    }
  }

  /// All events that wait, at most 10,000 datagrams of them.
  private static func read(_ socket: NetlinkSocket?, _ loss: (NetlinkPart) -> Loss?) -> Set<Loss> {
    var losses: Set<Loss> = []
    for _ in 0..<10_000 {
      do {
        losses.formUnion(NetlinkPart.all(in: try socket?.receive(waits: false) ?? []).compactMap(loss))
      } catch {
        if error.errno == ENOBUFS { losses.insert(.unknown) } else { break }
      }
    }
    return losses
  }

  private func loss(ofRoute part: NetlinkPart) -> Loss? {
    switch part.type {
    case RTM_DELLINK: DummyInterface.name(in: part) == interface ? .interface : nil
    case RTM_DELADDR: addresses.isDisjoint(with: DummyInterface.addresses(in: part)) ? nil : .interface
    default: nil
    }
  }

  /// Whoever deletes a chain or a table deletes its rules first, or the kernel does, with an event for each.
  private static func loss(ofRule part: NetlinkPart) -> Loss? {
    guard part.type == Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(NFT_MSG_DELRULE.rawValue), let family = part.body.first
    else { return nil }
    // struct nfgenmsg: 4 bytes, of which the first is the family.
    let attributes = part.attributes(skipping: 4)
    guard let table = attributes[Int(NFTA_RULE_TABLE.rawValue)], let chain = attributes[Int(NFTA_RULE_CHAIN.rawValue)]
    else { return nil }
    return .rule(family: family, table: text(table), chain: text(chain))
  }
}
