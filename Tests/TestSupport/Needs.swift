// A test of a program that is not installed is skipped, and the run says so.

package import Testing

extension Trait where Self == ConditionTrait {
  /// Skips a test on a machine without this program.
  package static func needs(_ program: String) -> Self {
    .enabled(if: ChildProcess.isInstalled(program), "\(program) is not installed")
  }
}
