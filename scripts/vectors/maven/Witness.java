import java.io.*;
import java.nio.charset.StandardCharsets;
import org.apache.maven.artifact.versioning.*;

/**
 * Orders pairs `A B` with Maven's ComparableVersion; prints `A OP B`. With `--ranges` it reads
 * `VERSION RANGE` and prints `VERSION OP RANGE`, OP one of `in`, `out`, `!` (the range is refused).
 */
public class Witness {
    static String compare(String left, String right) {
        int order = new ComparableVersion(left).compareTo(new ComparableVersion(right));
        return order < 0 ? "<" : order > 0 ? ">" : "=";
    }

    static String contains(String version, String text) {
        try {
            VersionRange range = VersionRange.createFromVersionSpec(text);
            return range.containsVersion(new DefaultArtifactVersion(version)) ? "in" : "out";
        } catch (InvalidVersionSpecificationException refused) {
            return "!";
        }
    }

    public static void main(String[] arguments) throws IOException {
        boolean ranges = arguments.length > 0 && arguments[0].equals("--ranges");
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new BufferedOutputStream(System.out), false, "UTF-8");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split(" ", 2);
            String answer;
            try {
                answer = (ranges ? contains(fields[0], fields[1]) : compare(fields[0], fields[1]));
            } catch (RuntimeException refused) {
                answer = "!";
            }
            out.println(fields[0] + " " + answer + " " + fields[1]);
        }
        out.flush();
    }
}
