import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateFactory;
import java.security.cert.CertificateRevokedException;
import java.security.cert.Extension;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.PKIXRevocationChecker.Option;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * Judges certificates of a folder by PKIX. Reads lines "CHANNEL NAME" and writes lines
 * "CHANNEL NAME VERDICT REASON WHY". The channel is CRL, GET or POST: a request with a long nonce
 * does not fit the 255 characters of an address up to which Java asks by GET (RFC 6960 A.1).
 */
public final class StatusJudge {
    private static final int LONG_NONCE = 100;

    public static void main(String[] arguments) throws Exception {
        Path folder = Paths.get(arguments[0]);
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        for (String line = asked.readLine(); line != null; line = asked.readLine()) {
            String[] words = line.split(" ");
            System.out.println(line + " " + verdict(folder, words[0], words[1]));
        }
    }

    private static String verdict(Path folder, String channel, String name) throws Exception {
        try {
            judge(folder, channel, name);
            return "good -";
        } catch (CertPathValidatorException refused) {
            if (refused.getCause() instanceof CertificateRevokedException revoked) {
                return "revoked " + revoked.getRevocationReason();
            }
            boolean expired = refused.getReason() == BasicReason.EXPIRED;
            return (expired ? "expired - " : "unknown - ") + refused;
        }
    }

    private static void judge(Path folder, String channel, String name) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate root = read(factory, folder.resolve("root.pem"));
        List<X509Certificate> path = new ArrayList<>();
        path.add(read(factory, folder.resolve(name + ".pem")));
        path.add(read(factory, folder.resolve(name + ".issuer.pem")));
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        if (channel.equals("CRL")) {
            checker.setOptions(EnumSet.of(Option.PREFER_CRLS, Option.NO_FALLBACK));
        } else {
            checker.setOptions(EnumSet.of(Option.ONLY_END_ENTITY, Option.NO_FALLBACK));
            if (channel.equals("POST")) {
                checker.setOcspExtensions(List.of(nonce()));
            }
        }
        parameters.addCertPathChecker(checker);
        CertPath toJudge = factory.generateCertPath(path);
        validator.validate(toJudge, parameters);
    }

    private static X509Certificate read(CertificateFactory factory, Path file) throws Exception {
        try (InputStream octets = Files.newInputStream(file)) {
            return (X509Certificate) factory.generateCertificate(octets);
        }
    }

    private static Extension nonce() {
        byte[] value = new byte[LONG_NONCE + 2];
        value[0] = 4; // OCTET STRING
        value[1] = LONG_NONCE;
        return new Extension() {
            @Override
            public String getId() {
                return "1.3.6.1.5.5.7.48.1.2";
            }

            @Override
            public boolean isCritical() {
                return false;
            }

            @Override
            public byte[] getValue() {
                return value;
            }

            @Override
            public void encode(java.io.OutputStream out) throws IOException {
                byte[] identifier = {6, 9, 43, 6, 1, 5, 5, 7, 48, 1, 2};
                ByteArrayOutputStream inside = new ByteArrayOutputStream();
                inside.write(identifier);
                inside.write(4);
                inside.write(value.length);
                inside.write(value);
                out.write(48);
                out.write(inside.size());
                inside.writeTo(out);
            }
        };
    }
}
