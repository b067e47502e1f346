/// A regular expression in RE2's syntax that takes time linear in the text: for each octet, each instruction at most
/// once (Thompson 1968; Pike's captures). The library's `Regex` backtracks, and one pattern of a Corefile could hold a
/// shard for minutes.
public struct Pattern: Sendable {
  private enum Instruction: Sendable {
    case set(ByteSet)
    /// Both, the first preferred.
    case split(Int, Int)
    case jump(Int)
    case save(Int)
    case assert(PatternNode.Assertion)
    case match
  }

  /// Instructions: with names of 255 octets, a million steps in all.
  public static let sizeLimit = 4096

  private var program: [Instruction] = []
  /// By group number, 0 the whole match; nil for a group without a name.
  public let groupNames: [String?]

  public var groups: Int { groupNames.count }

  public init(_ text: String) throws(PatternError) {
    let (node, names) = try PatternParser.parse(Array(text.utf8))
    groupNames = names
    try emit(.group(node, 0))
    try add(.match)
  }

  private mutating func add(_ instruction: Instruction) throws(PatternError) {
    guard program.count < Self.sizeLimit else {
      throw PatternError("expression too large, expected at most \(Self.sizeLimit) steps; lower its repeat counts")
    }
    program.append(instruction)
  }

  private mutating func emit(_ node: PatternNode) throws(PatternError) {
    switch node {
    case .empty: break
    case .set(let set): try add(.set(set))
    case .sequence(let nodes): for node in nodes { try emit(node) }
    case .choice(let nodes): try emit(choice: nodes)
    case .repetition(let node, let least, let most, let isLazy):
      for _ in 0..<least { try emit(node) }
      if let most {
        try emit(optional: node, most - least, isLazy)
      } else {
        let start = program.count
        try add(.match)  // becomes the split
        try emit(node)
        try add(.jump(start))
        program[start] = isLazy ? .split(program.count, start + 1) : .split(start + 1, program.count)
      }
    case .group(let node, let number):
      try add(.save(2 * number))
      try emit(node)
      try add(.save(2 * number + 1))
    case .assertion(let assertion): try add(.assert(assertion))
    }
  }

  private mutating func emit(choice nodes: [PatternNode]) throws(PatternError) {
    var ends: [Int] = []
    for (index, node) in nodes.enumerated() {
      guard index < nodes.count - 1 else {
        try emit(node)
        break
      }
      let split = program.count
      try add(.match)
      try emit(node)
      ends.append(program.count)
      try add(.match)
      program[split] = .split(split + 1, program.count)
    }
    for end in ends { program[end] = .jump(program.count) }
  }

  private mutating func emit(optional node: PatternNode, _ count: Int, _ isLazy: Bool) throws(PatternError) {
    var splits: [Int] = []
    for _ in 0..<count {
      splits.append(program.count)
      try add(.match)
      try emit(node)
    }
    for split in splits {
      program[split] = isLazy ? .split(program.count, split + 1) : .split(split + 1, program.count)
    }
  }

  public func matches(_ text: some Sequence<UInt8>) -> Bool { firstMatch(in: Array(text)) != nil }

  /// The leftmost match, and of those that start there the preferred: the range of each group, nil for one that took no
  /// part.
  public func firstMatch(in text: [UInt8]) -> [Range<Int>?]? {
    var run = Run(program: program, slots: 2 * groups, text: text)
    guard let slots = run.search() else { return nil }
    return (0..<groups).map { group in
      let (start, end) = (slots[2 * group], slots[2 * group + 1])
      return start >= 0 && end >= start ? start..<end : nil
    }
  }

  /// One search: all threads of the machine go through the text side by side, those preferred first.
  private struct Run {
    private enum Step {
      case visit(Int)
      case restore(Int, Int)
    }

    let program: [Instruction]
    let slots: Int
    let text: [UInt8]
    private var current: [(at: Int, slots: [Int])] = []
    private var following: [(at: Int, slots: [Int])] = []
    /// The last position of the text at which an instruction was visited.
    private var visited: [Int]

    init(program: [Instruction], slots: Int, text: [UInt8]) {
      self.program = program
      self.slots = slots
      self.text = text
      visited = [Int](repeating: -1, count: program.count)
    }

    mutating func search() -> [Int]? {
      var found: [Int]?
      for position in 0...text.count {
        // A later start is the last choice, and none once a match was found.
        if found == nil { follow(0, [Int](repeating: -1, count: slots), position, to: \.current) }
        if current.isEmpty, found != nil { break }
        following.removeAll(keepingCapacity: true)
        loop: for thread in current {
          switch program[thread.at] {
          case .match:
            found = thread.slots
            break loop
          case .set(let set):
            if position < text.count, set.contains(text[position]) {
              follow(thread.at + 1, thread.slots, position + 1, to: \.following)
            }
          default: break
          }
        }
        swap(&current, &following)
      }
      return found
    }

    /// Adds the threads that `start` leads to without taking an octet.
    private mutating func follow(
      _ start: Int, _ from: [Int], _ position: Int, to list: WritableKeyPath<Run, [(at: Int, slots: [Int])]>
    ) {
      var slots = from
      var stack = [Step.visit(start)]
      while let step = stack.popLast() {
        switch step {
        case .restore(let slot, let value): slots[slot] = value
        case .visit(let at):
          guard visited[at] != position else { continue }
          visited[at] = position
          switch program[at] {
          case .jump(let target): stack.append(.visit(target))
          case .split(let first, let second):
            stack.append(.visit(second))
            stack.append(.visit(first))
          case .save(let slot):
            stack.append(.restore(slot, slots[slot]))
            slots[slot] = position
            stack.append(.visit(at + 1))
          case .assert(let assertion): if holds(assertion, position) { stack.append(.visit(at + 1)) }
          case .set, .match: self[keyPath: list].append((at, slots))
          }
        }
      }
    }

    private func holds(_ assertion: PatternNode.Assertion, _ position: Int) -> Bool {
      switch assertion {
      case .textStart: position == 0
      case .textEnd: position == text.count
      case .lineStart: position == 0 || text[position - 1] == 0x0A
      case .lineEnd: position == text.count || text[position] == 0x0A
      case .wordBorder: isWord(position - 1) != isWord(position)
      case .noWordBorder: isWord(position - 1) == isWord(position)
      }
    }

    private func isWord(_ position: Int) -> Bool {
      text.indices.contains(position) && ByteSet.word.contains(text[position])
    }
  }
}
