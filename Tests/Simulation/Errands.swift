import Engine
import Memory

/// Directives behind the cache that have upstream asked what the client asked, in each way that there is: directly, with
/// a look at the answer, as a question of their own, and as two of them one after the other.
struct Errands: Resolver {
  func resolve(_ inquiry: Inquiry) -> Resolution {
    let asked = Errand.Asked(name: inquiry.name, type: inquiry.type, recordClass: inquiry.recordClass)
    let last: @Sendable (Bytes) -> Resolution? = { .answer($0.octets, options: [], by: .rewrite) }
    return switch inquiry.name.reduce(0, { $0 &+ Int($1) }) & 3 {
    case 0: .forward(Errand())
    case 1: .forward(Errand(then: last))
    case 2: .forward(Errand(asked: asked, then: last))
    default: .forward(Errand(asked: asked, then: { _ in .forward(Errand(asked: asked, then: last)) }))
    }
  }
}
