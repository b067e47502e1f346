import Corefile
import Engine

/// A directive that answers queries, changes them, or changes their answers.
protocol Stage: Sendable {
  func handle(_ query: ChainQuery, next: @escaping @Sendable (ChainQuery) -> Outcome) -> Outcome
}

/// The directives of one server block behind its cache, in CoreDNS's order.
public struct ChainResolver: Resolver {
  private let stages: [any Stage]
  private let whoami: Whoami?
  /// Files that its directives read, to be looked at for changes.
  public let files: [WatchedFile]
  /// What finds forwarding loops, if the block asks for it.
  public let loop: Loop?

  /// nil: the block has none of those directives.
  public init?(_ block: ServerBlock, _ counts: ChainCounts) throws(CorefileError) {
    var stages: [any Stage] = []
    var files: [WatchedFile] = []
    if let dns64 = block.dns64 { stages.append(DNS64(dns64, counts)) }
    if block.any != nil { stages.append(AnyType()) }
    if !block.rewrite.isEmpty { stages.append(try Rewrite(block.rewrite)) }
    if block.minimal != nil { stages.append(Minimal()) }
    if !block.template.isEmpty { stages.append(try Templates(block.template, counts)) }
    if let hosts = block.hosts {
      let stage = Hosts(hosts)
      stages.append(stage)
      files.append(stage.file)
    }
    loop = block.loop == nil ? nil : Loop()
    if let loop { stages.append(loop) }
    whoami = block.whoami == nil ? nil : Whoami()
    if stages.isEmpty && whoami == nil { return nil }
    self.stages = stages
    self.files = files
  }

  public func resolve(_ inquiry: Inquiry) -> Resolution {
    run(0, ChainQuery(inquiry)).resolution(for: inquiry)
  }

  private func run(_ index: Int, _ query: ChainQuery) -> Outcome {
    if index < stages.count { return stages[index].handle(query) { run(index + 1, $0) } }
    var forwarding = Outcome.Forwarding(query: query)
    if let whoami { forwarding.otherwise = { .answer(whoami.answer(query)) } }
    return .forward(forwarding)
  }
}
