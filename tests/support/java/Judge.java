import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.security.cert.CRL;
import java.security.cert.CertPath;
import java.security.cert.CertPathValidator;
import java.security.cert.CertStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXParameters;
import java.security.cert.PKIXRevocationChecker;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Validates every NAME.chain (PEM, leaf first, root last) of a folder by PKIX, with the CRLs in
 * NAME.crls or, where there is a NAME.ocsp, that answer for the leaf. Prints "NAME: why" for each
 * chain that is not valid, and the number of chains at the end.
 */
public final class Judge {
    public static void main(String[] arguments) throws Exception {
        List<Path> chains;
        try (Stream<Path> files = Files.list(Paths.get(arguments[0]))) {
            chains = files.filter(file -> file.toString().endsWith(".chain")).sorted().toList();
        }
        for (Path chain : chains) {
            String name = chain.getFileName().toString().replace(".chain", "");
            try {
                judge(chain, name);
            } catch (Exception refused) {
                System.out.println(name + ": " + refused);
            }
        }
        System.out.println(chains.size() + " chains");
    }

    private static void judge(Path chain, String name) throws Exception {
        CertificateFactory factory = CertificateFactory.getInstance("X.509");
        List<Certificate> path = new ArrayList<>(read(factory, chain));
        X509Certificate root = (X509Certificate) path.remove(path.size() - 1);
        root.verify(root.getPublicKey());
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        CertPathValidator validator = CertPathValidator.getInstance("PKIX");
        PKIXRevocationChecker checker = (PKIXRevocationChecker) validator.getRevocationChecker();
        Path answer = chain.resolveSibling(name + ".ocsp");
        if (Files.exists(answer)) {
            checker.setOptions(EnumSet.of(
                PKIXRevocationChecker.Option.ONLY_END_ENTITY,
                PKIXRevocationChecker.Option.NO_FALLBACK));
            checker.setOcspResponses(
                Map.of((X509Certificate) path.get(0), Files.readAllBytes(answer)));
        } else {
            checker.setOptions(EnumSet.of(
                PKIXRevocationChecker.Option.PREFER_CRLS,
                PKIXRevocationChecker.Option.NO_FALLBACK));
            parameters.addCertStore(crls(factory, chain.resolveSibling(name + ".crls")));
        }
        parameters.addCertPathChecker(checker);
        CertPath toJudge = factory.generateCertPath(path);
        validator.validate(toJudge, parameters);
    }

    private static Collection<? extends Certificate> read(CertificateFactory factory, Path file)
            throws Exception {
        try (InputStream octets = Files.newInputStream(file)) {
            return factory.generateCertificates(octets);
        }
    }

    private static CertStore crls(CertificateFactory factory, Path file) throws Exception {
        try (InputStream octets = Files.newInputStream(file)) {
            Collection<? extends CRL> lists = factory.generateCRLs(octets);
            return CertStore.getInstance("Collection", new CollectionCertStoreParameters(lists));
        }
    }
}
