import java.io.BufferedReader;
import java.io.InputStreamReader;

/** Says of each token, one a line, what a decoder of docs/upstreams.md says. */
class Main {
    public static void main(String[] args) throws Exception {
        String issuer = System.getenv("ISSUER"), audience = System.getenv("AUDIENCE");
        var decoder = args[0].equals("accessTokens") ? Decoders.accessTokens(issuer, audience) : Decoders.byDefault(issuer, audience);
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String token = lines.readLine(); token != null; token = lines.readLine()) {
            try {
                System.out.println("accepted: " + decoder.decode(token).getClaimAsString("client_id"));
            } catch (Exception e) {
                System.out.println("refused: " + e.getMessage());
            }
        }
    }
}
