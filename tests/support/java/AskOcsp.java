import java.io.FileInputStream;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** Asks OCSP at the address in the certificate, as Java does by itself; says what it heard. */
public class AskOcsp {
    public static void main(String[] files) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        X509Certificate[] read = new X509Certificate[files.length];
        for (int i = 0; i < files.length; i++) {
            try (FileInputStream in = new FileInputStream(files[i])) {
                read[i] = (X509Certificate) factory.generateCertificate(in);
            }
        }
        TrustAnchor anchor = new TrustAnchor(read[0], null);
        for (int i = 1; i < read.length; i++) {
            CertPathValidator validator = CertPathValidator.getInstance("PKIX");
            PKIXRevocationChecker checker =
                    (PKIXRevocationChecker) validator.getRevocationChecker();
            checker.setOptions(EnumSet.of(PKIXRevocationChecker.Option.NO_FALLBACK));
            PKIXParameters parameters = new PKIXParameters(Set.of(anchor));
            parameters.addCertPathChecker(checker);
            try {
                validator.validate(factory.generateCertPath(List.of(read[i])), parameters);
                System.out.println("good");
            } catch (CertPathValidatorException refused) {
                System.out.println(refused.getReason().toString().toLowerCase());
            }
        }
    }
}
